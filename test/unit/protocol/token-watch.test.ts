import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  IDLE_WATCH,
  PROBE_TTL_MS,
  type TokenWatch,
  type TokenWatchEvent,
  watch,
  watchWakeAt,
} from '../../../src/protocol/token-watch.ts';

const HEAL = 30_000;
const looked = (ready: number): TokenWatchEvent => ({ type: 'looked', ready });
const joined: TokenWatchEvent = { type: 'joined' };
const left: TokenWatchEvent = { type: 'left' };
const tokenSeen: TokenWatchEvent = { type: 'token-seen' };
const wake: TokenWatchEvent = { type: 'wake' };

function play(
  script: readonly (readonly [number, TokenWatchEvent])[],
  from: TokenWatch = IDLE_WATCH,
  jitter = 0.5,
) {
  let tokenWatch = from;
  const todo: string[] = [];
  for (const [nowMono, event] of script) {
    const [next, what] = watch(tokenWatch, event, { nowMono, healAfterMs: HEAL, jitter });
    tokenWatch = next;
    if (what !== undefined) todo.push(`${what}@${nowMono}`);
  }
  return { tokenWatch, todo };
}

describe('token watch', () => {
  test('while nobody waits it wants no wake, looks at nothing and probes nothing', () => {
    expect(watchWakeAt(IDLE_WATCH)).toBeUndefined();
    const { tokenWatch, todo } = play([
      [0, joined],
      [1, looked(0)],
      [2, left],
      [99_000, wake],
      [99_001, looked(0)],
    ]);
    expect(todo).toEqual([]);
    expect(watchWakeAt(tokenWatch)).toBeUndefined();
  });

  test('somebody who waits makes it look every quarter of healAfterMs', () => {
    const { tokenWatch, todo } = play([
      [0, joined],
      [7_499, wake],
      [7_500, wake],
      [7_501, wake],
      [15_000, wake],
    ]);
    expect(todo).toEqual(['look@7500', 'look@15000']);
    expect(watchWakeAt(tokenWatch)).toBe(22_500);
  });

  test('jitter spreads the looks by a quarter of their distance either way', () => {
    const first = (jitter: number) => watchWakeAt(play([[0, joined]], IDLE_WATCH, jitter).tokenWatch);
    expect(first(0)).toBe(5_625);
    expect(first(1)).toBe(9_375);
  });

  test('a queue that shows nothing ready for healAfterMs is probed, and not before', () => {
    expect(
      play([
        [0, joined],
        [0, looked(0)],
        [29_999, looked(0)],
      ]).todo,
    ).toEqual([]);
    expect(
      play([
        [0, joined],
        [0, looked(0)],
        [30_000, looked(0)],
      ]).todo,
    ).toEqual(['probe@30000']);
  });

  test('waits that are shorter than healAfterMs add up, so tryAcquire heals a lock too', () => {
    const short = (at: number): [number, TokenWatchEvent][] => [
      [at, joined],
      [at + 10, looked(0)],
      [at + 500, left],
    ];
    const { todo } = play([...short(0), ...short(10_000), ...short(20_000), ...short(30_000)]);
    expect(todo).toEqual(['probe@30010']);
  });

  test('a second waiter neither postpones the next look nor restarts the count', () => {
    const { tokenWatch, todo } = play([
      [0, joined],
      [0, looked(0)],
      [7_000, joined],
      [30_000, looked(0)],
    ]);
    expect(todo).toEqual(['probe@30000']);
    expect(watchWakeAt(tokenWatch)).toBe(7_500);
  });

  test('the watch ends with the last of those who wait', () => {
    const two: [number, TokenWatchEvent][] = [
      [0, joined],
      [1, joined],
      [2, left],
    ];
    expect(watchWakeAt(play(two).tokenWatch)).toBe(7_500);
    expect(watchWakeAt(play([...two, [3, left]]).tokenWatch)).toBeUndefined();
  });

  test('a token that was seen restarts the count', () => {
    const { todo } = play([
      [0, joined],
      [0, looked(0)],
      [20_000, tokenSeen],
      [30_000, looked(0)],
      [59_999, looked(0)],
    ]);
    expect(todo).toEqual([]);
    expect(
      play([
        [0, joined],
        [0, looked(0)],
        [1, tokenSeen],
        [2, looked(0)],
        [30_002, looked(0)],
      ]).todo,
    ).toEqual(['probe@30002']);
  });

  test('a look that shows something ready restarts the count', () => {
    const { todo } = play([
      [0, joined],
      [0, looked(0)],
      [20_000, looked(1)],
      [30_000, looked(0)],
      [50_000, looked(0)],
    ]);
    expect(todo).toEqual([]);
  });

  test('there is one probe at a time: the next waits until the last has expired', () => {
    const { tokenWatch, todo } = play([
      [0, joined],
      [0, looked(0)],
      [30_000, looked(0)],
      [30_001, looked(0)],
    ]);
    expect(todo).toEqual(['probe@30000']);
    expect(play([[33_000, looked(0)]], tokenWatch).todo).toEqual([]);
    expect(play([[48_000, looked(0)]], tokenWatch).todo).toEqual(['probe@48000']);
    expect(
      play(
        [
          [48_000, tokenSeen],
          [48_001, looked(0)],
        ],
        tokenWatch,
      ).todo,
    ).toEqual([]);
  });

  test('whatever happens: probes are a probe lifetime apart, need a waiter and healAfterMs of empty looks', () => {
    const event = fc.oneof(
      fc.constantFrom(joined, tokenSeen, wake),
      fc.constant(left),
      fc.constantFrom(looked(0), looked(0), looked(0), looked(1)),
    );
    const step = fc.tuple(fc.nat(20_000), event, fc.double({ min: 0, max: 1, noNaN: true }));
    let probes = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let tokenWatch = IDLE_WATCH;
        let [now, waiters] = [0, 0];
        let emptySince: number | undefined;
        let lastProbe = Number.NEGATIVE_INFINITY;
        for (const [gap, event, jitter] of steps) {
          now += gap;
          if (event.type === 'left' && waiters === 0) continue;
          if (event.type === 'joined') waiters += 1;
          if (event.type === 'left') waiters -= 1;
          if (event.type === 'token-seen' || (event.type === 'looked' && event.ready > 0))
            emptySince = undefined;
          if (event.type === 'looked' && event.ready === 0) emptySince ??= now;
          const [next, todo] = watch(tokenWatch, event, { nowMono: now, healAfterMs: HEAL, jitter });
          tokenWatch = next;
          expect(tokenWatch.waiters).toBe(waiters);
          if (todo !== undefined) expect(waiters).toBeGreaterThan(0);
          if (todo !== 'probe') continue;
          probes += 1;
          expect(event.type).toBe('looked');
          expect(now - (emptySince ?? now)).toBeGreaterThanOrEqual(HEAL);
          expect(now - lastProbe).toBeGreaterThanOrEqual(PROBE_TTL_MS);
          lastProbe = now;
        }
      }),
      { numRuns: 4_000 },
    );
    expect(probes).toBeGreaterThan(10); // the property has met the case that it is about
  });
});
