import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { remaining } from '../../../src/protocol/instant.ts';

const at = (mono: number, wall: number) => ({ mono, wall });

describe('remaining', () => {
  test('is the span less the time that has passed, when both clocks agree', () => {
    expect(remaining(at(10, 1_000), 100, at(40, 1_030))).toBe(70);
  });

  test('counts on the wall clock when a suspended machine stopped the monotonic one', () => {
    expect(remaining(at(10, 1_000), 100, at(10, 1_090))).toBe(10);
    expect(remaining(at(10, 1_000), 100, at(11, 9_999))).toBe(0);
  });

  test('counts on the monotonic clock when the wall clock was set back', () => {
    expect(remaining(at(10, 1_000), 100, at(70, 500))).toBe(40);
    expect(remaining(at(10, 1_000), 100, at(110, 0))).toBe(0);
  });

  test('is over at the very end of the span and never negative', () => {
    expect(remaining(at(0, 0), 100, at(99.5, 99.5))).toBe(0.5);
    expect(remaining(at(0, 0), 100, at(100, 100))).toBe(0);
    expect(remaining(at(0, 0), 100, at(1e9, 1e9))).toBe(0);
  });

  test('is above zero only if less than the span has passed on each of the clocks', () => {
    const ms = fc.integer({ min: -50_000, max: 50_000 });
    fc.assert(
      fc.property(ms, ms, (mono, wall) => {
        const left = remaining(at(0, 0), 15_000, at(mono, wall));
        expect(left > 0).toBe(mono < 15_000 && wall < 15_000);
      }),
    );
  });
});
