import { describe, expect, it } from 'vitest';
import { longestGap } from '../../../bench/scenarios/death.ts';
import { jain, judgeHandoff, median, percentile, type Turn } from '../../../bench/stats.ts';

const ALL = { fromMs: 0, toMs: 1_000 };

/** A turn in a hand's breadth: `[contender, asked, granted, released, fence?]`, in line 1 ms after it asked. */
type Brief = readonly [number, number, number, number, bigint?];

const turns = (...briefs: readonly Brief[]): Turn[] =>
  briefs.map(([contender, askedAt, grantedAt, releasedAt, fence]) => ({
    contender,
    askedAt,
    placedAt: askedAt + 1,
    grantedAt,
    releasedAt,
    fence,
  }));

/** Each of `count` contenders in turn, `rounds` times: asks after its release, is granted 2 ms after that of another. */
function inTurn(count: number, rounds: number): Turn[] {
  const period = count * 10;
  return turns(
    ...Array.from({ length: count * rounds }, (_, index): Brief => {
      const grantedAt = index * 10;
      return [index % count, grantedAt - period + 9, grantedAt, grantedAt + 8, BigInt(index)];
    }),
  );
}

describe('statistics', () => {
  it('takes percentiles by nearest rank', () => {
    expect(percentile([3, 1, 2], 50)).toBe(2);
    expect(percentile([1, 2, 3, 4], 50)).toBe(2);
    expect(
      percentile(
        Array.from({ length: 100 }, (_, index) => index + 1),
        99,
      ),
    ).toBe(99);
    expect(median([])).toBeNaN();
  });

  it('calls equal shares fair, and one share of n a nth as fair', () => {
    expect(jain([5, 5, 5, 5])).toBe(1);
    expect(jain([20, 0, 0, 0])).toBe(0.25);
  });
});

describe('a history of turns', () => {
  it('in which everybody is served in order is fair, without inversions, re-grants and overlaps', () => {
    expect(judgeHandoff(inTurn(4, 5), 4, ALL)).toMatchObject({
      grants: 20,
      grantsPerS: 20,
      latencyP50Ms: 2,
      latencyP99Ms: 2,
      fairness: 1,
      inversions: 0,
      regrantsPercent: 0,
      overlaps: 0,
      fencesFallen: 0,
    });
  });

  it('counts fairness over whole rounds', () => {
    expect(judgeHandoff(inTurn(4, 5).slice(0, -1), 4, ALL).fairness).toBe(1);
    expect(judgeHandoff(inTurn(4, 1).slice(0, -1), 4, ALL).fairness).toBeNaN();
  });

  it('counts who overtakes somebody already in line', () => {
    const history = turns([0, 0, 10, 20], [1, 8, 22, 30], [2, 5, 32, 40]);
    expect(judgeHandoff(history, 3, ALL).inversions).toBe(1);
  });

  it('does not call it overtaking when both asked at about the same time', () => {
    const history = turns([0, 0, 10, 20], [1, 5.5, 22, 30], [2, 5, 32, 40]);
    expect(judgeHandoff(history, 3, ALL).inversions).toBe(0);
  });

  it('counts those who overtake somebody who is never served', () => {
    const never = Number.POSITIVE_INFINITY;
    const history = turns([0, 0, 10, 20], [0, 21, 22, 30], [1, 5, never, never]);
    const { inversions, regrantsPercent } = judgeHandoff(history, 2, ALL);
    expect({ inversions, regrantsPercent }).toEqual({ inversions: 1, regrantsPercent: 100 });
  });

  it('counts a re-grant only while others wait', () => {
    const { regrantsPercent } = judgeHandoff(
      turns([0, 0, 10, 20], [0, 21, 22, 30], [1, 29.5, 32, 40]),
      2,
      ALL,
    );
    expect(regrantsPercent).toBe(0);
  });

  it('counts two holders at once', () => {
    expect(judgeHandoff(turns([0, 0, 10, 20], [1, 5, 19, 30]), 2, ALL).overlaps).toBe(1);
  });

  it('counts fences that do not rise', () => {
    expect(judgeHandoff(turns([0, 0, 10, 20, 7n], [1, 5, 22, 30, 7n]), 2, ALL).fencesFallen).toBe(1);
  });

  it('is judged by what was granted within the window, and by who was served before it', () => {
    const { grants, latencyP50Ms } = judgeHandoff(inTurn(2, 2), 2, { fromMs: 10, toMs: 20 });
    expect({ grants, latencyP50Ms }).toEqual({ grants: 1, latencyP50Ms: 2 });
  });

  it('takes a wait of which nobody told for placed after a while', () => {
    const untold = turns([0, 0, 10, 20], [1, 8, 22, 30], [2, 5, 32, 40]).map((turn) => ({
      ...turn,
      placedAt: Number.NaN,
    }));
    expect(judgeHandoff(untold, 3, ALL).inversions).toBe(0);
  });
});

describe('the longest gap after a death', () => {
  it('begins with the last grant before it', () => {
    expect(longestGap([10, 20, 70, 80], 25, 90)).toBe(50);
  });

  it('may come later', () => {
    expect(longestGap([10, 20, 26, 126], 25, 130)).toBe(100);
  });

  it('has no end when nobody is granted any more', () => {
    expect(longestGap([10, 20], 25, 100)).toBe(Number.POSITIVE_INFINITY);
    expect(longestGap([10, 20, 26], 25, 100)).toBe(Number.POSITIVE_INFINITY);
  });
});
