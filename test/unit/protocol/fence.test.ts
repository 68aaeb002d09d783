import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BASE_MAX, FENCES_PER_RETURN, fenceOf, INT64_MAX, nextBase } from '../../../src/protocol/fence.ts';

const wallMs = fc.double({ min: 0, max: 4e12, noNaN: true });
const seen = fc.bigInt({ min: 0n, max: BASE_MAX - 1n });

describe('fence', () => {
  test('a fence is the base plus the stride times the number of returns', () => {
    expect(fenceOf(1_000n, 0, 1_024)).toBe(1_000n);
    expect(fenceOf(1_000n, 7, 1)).toBe(1_007n);
    expect(fenceOf(1_000n, 7, 1_024)).toBe(8_168n);
    expect(fenceOf(BASE_MAX, Number.MAX_SAFE_INTEGER, 1)).toBe(BASE_MAX + 9_007_199_254_740_991n);
  });

  test('each return makes the fence higher by exactly the stride', () => {
    fc.assert(
      fc.property(
        seen,
        fc.nat(),
        fc.integer({ min: 1, max: FENCES_PER_RETURN }),
        (base, returns, fencesPerReturn) => {
          const rise = fenceOf(base, returns + 1, fencesPerReturn) - fenceOf(base, returns, fencesPerReturn);
          expect(rise).toBe(BigInt(fencesPerReturn));
        },
      ),
    );
  });

  test('a new base is the epoch in milliseconds shifted by 20 bits when nothing higher was seen', () => {
    expect(nextBase(1_800_000_000_000, 0n)).toBe(1_800_000_000_000n * 2n ** 20n);
    expect(nextBase(1_800_000_000_000.9, 5n)).toBe(1_800_000_000_000n * 2n ** 20n);
  });

  test('a new base is one above the highest fence seen when the clock is behind it', () => {
    expect(nextBase(1, 2n ** 20n)).toBe(2n ** 20n + 1n);
    expect(nextBase(1, 2n ** 20n - 1n)).toBe(2n ** 20n);
    expect(nextBase(-5, 41n)).toBe(42n);
    expect(nextBase(0, 0n)).toBe(1n);
  });

  test('a new base is above every fence seen, at least the clock, and within the limit', () => {
    fc.assert(
      fc.property(wallMs, seen, (now, highest) => {
        const base = nextBase(now, highest);
        expect(base > highest).toBe(true);
        expect(base >= BigInt(Math.floor(now)) << 20n).toBe(true);
        expect(base <= BASE_MAX).toBe(true);
      }),
    );
  });

  test('two bases made in different milliseconds are apart by more than a broker can hand out in between', () => {
    expect(nextBase(1_001, 0n) - nextBase(1_000, 0n)).toBe(2n ** 20n);
  });

  test('when int64 is used up no base is made, instead of one that overflows', () => {
    expect(() => nextBase(0, BASE_MAX)).toThrow(RangeError);
    expect(() => nextBase(0, INT64_MAX)).toThrow(/no fence is left/);
    expect(nextBase(0, BASE_MAX - 1n)).toBe(BASE_MAX);
  });

  test('the limit leaves room in int64 for the 10^9 returns of the delivery limit, and for the clock until the year 2248', () => {
    expect(fenceOf(BASE_MAX, 1_000_000_000, FENCES_PER_RETURN)).toBeLessThan(INT64_MAX);
    expect(() => nextBase(Date.UTC(2248, 0, 1), 0n)).not.toThrow();
  });
});
