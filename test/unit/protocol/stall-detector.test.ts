import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BEAT_MS, beat, ranLately, type StallDetector } from '../../../src/protocol/stall-detector.ts';

const at = (mono: number, wall = mono) => ({ mono, wall: 1_000_000 + wall });

function beats(...times: ReturnType<typeof at>[]): StallDetector | undefined {
  return times.reduce<StallDetector | undefined>((pulse, now) => beat(pulse, now), undefined);
}

describe('stall guard', () => {
  test('without any beat nothing is shown', () => {
    expect(ranLately(undefined, at(0))).toBe(false);
  });

  test('a process that beats in time ran lately, also between two beats', () => {
    const pulse = beats(at(0), at(BEAT_MS), at(2 * BEAT_MS));
    expect(ranLately(pulse, at(2 * BEAT_MS))).toBe(true);
    expect(ranLately(pulse, at(3 * BEAT_MS - 1))).toBe(true);
  });

  test('one beat that is a little late is not taken for a stall', () => {
    const pulse = beats(at(0), at(BEAT_MS), at(3 * BEAT_MS));
    expect(ranLately(pulse, at(4 * BEAT_MS))).toBe(true);
  });

  test('a process that has not beaten for more than a second did not run lately', () => {
    const pulse = beats(at(0), at(250));
    expect(ranLately(pulse, at(1_000))).toBe(true);
    expect(ranLately(pulse, at(1_001))).toBe(false);
  });

  test('the first beat after a stall does not count, since the timer runs before the socket is read', () => {
    const late = beats(at(0), at(250), at(20_000));
    expect(ranLately(late, at(20_000))).toBe(false);
    expect(ranLately(beat(late, at(20_250)), at(20_250))).toBe(true);
  });

  test('a suspended machine is a stall although the monotonic clock stood still', () => {
    const suspended = beats(at(0), at(250));
    expect(ranLately(suspended, at(251, 60_000))).toBe(false);
    const late = beat(suspended, at(300, 60_000));
    expect(ranLately(late, at(300, 60_000))).toBe(false);
    expect(ranLately(beat(late, at(550, 60_250)), at(550, 60_250))).toBe(true);
  });

  test('a wall clock that jumps either way is doubted until the beat before last is after the jump', () => {
    for (const jump of [-60_000, 60_000]) {
      const pulse = beats(at(0), at(250), at(500, 500 + jump));
      expect(ranLately(pulse, at(500, 500 + jump))).toBe(false);
      expect(ranLately(beat(pulse, at(750, 750 + jump)), at(750, 750 + jump))).toBe(true);
    }
  });

  test('ran lately implies two beats in the last second on both clocks, whatever the beats were', () => {
    const gap = fc.record({ mono: fc.nat(1_500), wall: fc.integer({ min: -1_500, max: 1_500 }) });
    fc.assert(
      fc.property(fc.array(gap, { minLength: 3, maxLength: 8 }), (gaps) => {
        let now = at(0);
        const times = gaps.map(({ mono, wall }) => {
          now = { mono: now.mono + mono, wall: now.wall + wall };
          return now;
        });
        const pulse = beats(...times.slice(0, -1));
        const beforeLast = times.at(-3) ?? at(0);
        const recent = now.mono - beforeLast.mono <= 1_000 && Math.abs(now.wall - beforeLast.wall) <= 1_000;
        expect(ranLately(pulse, now)).toBe(recent);
      }),
    );
  });
});
