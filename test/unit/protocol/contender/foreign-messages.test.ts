import { describe, expect, test } from 'vitest';
import type { BatonError } from '../../../../src/errors.ts';
import { wakeAt } from '../../../../src/protocol/contender/step.ts';
import type { ContenderEvent, ContenderState } from '../../../../src/protocol/contender/types.ts';
import {
  delivered,
  feed,
  inspectingForeign,
  junkBody,
  LINE,
  later,
  NOW,
  names,
  permanent,
  place,
  probeBody,
  RULES,
  retryable,
  run,
  TRY,
  tokenBody,
  V4_3,
  waiting,
} from './fixtures.ts';

type Script = Parameters<typeof run>[2];

const looked = (ready: number, call = LINE + 1): ContenderEvent => ({
  type: 'looked',
  call,
  depth: { ready, consumers: 1 },
});
const failed = (error: BatonError, call = LINE + 1): ContenderEvent => ({ type: 'call-failed', call, error });
const inGrace = feed(inspectingForeign(), looked(0))[0];
const wake: ContenderEvent = { type: 'wake' };
const giveUp: ContenderEvent = { type: 'give-up' };

describe('a probe or foreign message that is handed out', () => {
  test.each([
    ['probe', probeBody],
    ['foreign message', junkBody],
    ['token of another lock', tokenBody({ name: 'else' })],
  ])(
    'a %s is never granted: it is looked behind first, and nothing is decided before the answer',
    (_what, body) => {
      const [state, effects] = feed(waiting(), delivered(3, body));
      expect(place(state)).toBe('waiting+foreign');
      expect(effects).toEqual([{ do: 'look', call: LINE + 1 }]);
      expect(wakeAt(state, RULES)).toBeUndefined();
    },
  );

  test('is acked if something else is ready, which is then handed out', () => {
    const [state, effects] = feed(inspectingForeign(), looked(1));
    expect(effects).toEqual([{ do: 'ack', channelId: LINE, deliveryTag: 2 }]);
    expect(place(state)).toBe('waiting');
    expect(names(feed(state, delivered(3))[1])).toBe('fence-seen set-queue-known grant');
  });

  test('is kept for a grace of 2 s and looked behind again if nothing else is ready; then the lock is started over', () => {
    expect(wakeAt(inGrace, RULES)).toBe(NOW.mono + 2_000);
    expect(feed(inGrace, wake, { now: later(1_999) })[1]).toEqual([]);
    const [again, look] = feed(inGrace, wake, { now: later(2_000) });
    expect(look).toEqual([{ do: 'look', call: LINE + 2 }]);
    const [state, effects] = feed(again, looked(0, LINE + 2), { now: later(2_001) });
    expect(effects).toEqual([{ do: 'purge', call: LINE + 3 }]);
    expect(state).toMatchObject({ at: 'replacing', phase: 'purging', channelId: LINE, deliveryTag: 2 });
  });

  test('is acked if the second look shows something', () => {
    const [again] = feed(inGrace, wake, { now: later(2_000) });
    expect(names(feed(again, looked(1, LINE + 2), { now: later(2_001) })[1])).toBe('ack');
  });

  test('is looked behind again 500 ms after a look that failed', () => {
    const [state, effects] = feed(inspectingForeign(), failed(retryable));
    expect(effects).toEqual([]);
    expect(wakeAt(state, RULES)).toBe(NOW.mono + 500);
    expect(feed(state, wake, { now: later(499) })).toEqual([state, []]);
    expect(feed(state, wake, { now: later(500) })[1]).toEqual([{ do: 'look', call: LINE + 2 }]);
  });

  test('needs two looks that show nothing before anything is started over: a look that failed shows nothing at all', () => {
    const [state, effects] = run(inspectingForeign(), RULES, [
      [failed(retryable), {}],
      [wake, { now: later(2_000) }],
      [looked(0, LINE + 2), { now: later(2_010) }],
    ]);
    expect(names(effects)).toBe('look');
    expect(wakeAt(state, RULES)).toBe(NOW.mono + 4_010);
  });

  test('keeps the grace that has begun while looks fail', () => {
    const [, effects] = run(inGrace, RULES, [
      [wake, { now: later(2_000) }],
      [failed(retryable, LINE + 2), { now: later(2_010) }],
      [wake, { now: later(2_510) }],
      [looked(0, LINE + 3), { now: later(2_511) }],
    ]);
    expect(names(effects)).toBe('look look purge');
  });

  test('behind which this user may not look ends the wait with that error', () => {
    const [state, effects] = feed(inspectingForeign(), failed(permanent));
    expect(place(state)).toBe('closing');
    expect(effects).toEqual([
      { do: 'refuse', refusal: { why: 'failed', error: permanent } },
      { do: 'set-queue-known', known: false },
      { do: 'close', channelId: LINE },
    ]);
    expect(names(feed(inspectingForeign({ abandoned: true }), failed(permanent))[1])).toBe(
      'set-queue-known close',
    );
  });

  test('behind which the queue is gone: the cancellation that is on its way decides', () => {
    const [state, effects] = feed(inspectingForeign(), { type: 'looked', call: LINE + 1, depth: 'absent' });
    expect(effects).toEqual([]);
    const [, after] = run(state, RULES, [
      [{ type: 'cancelled', channelId: LINE }, {}],
      [wake, { now: later(50) }],
    ]);
    expect(names(after)).toBe('set-queue-known close declare');
  });

  test('a look that was asked for on an older line decides nothing', () => {
    const [state] = feed(inspectingForeign(), { type: 'closed', channelId: LINE, scope: 'connection' });
    expect(feed(state, looked(1))).toEqual([state, []]);
  });
});

describe('a caller that waits less than the grace', () => {
  const gaveUp = (from: ContenderState) => feed(from, giveUp);

  test('is told at once, and the healing goes on without it', () => {
    const [state, effects] = gaveUp(inGrace);
    expect(effects).toEqual([{ do: 'refuse', refusal: { why: 'gave-up' } }]);
    const [end, all] = run(state, RULES, [
      [wake, { now: later(2_000) }],
      [looked(0, LINE + 2), { now: later(2_001) }],
      [{ type: 'purged', call: LINE + 3 }, {}],
      [{ type: 'seeded', call: LINE + 4 }, {}],
      [looked(1, LINE + 5), {}],
      [delivered(0), {}],
      [{ type: 'closed', channelId: LINE, scope: 'channel' }, {}],
    ]);
    expect(place(end)).toBe('released');
    expect(names(all)).toBe('look purge seed look ack fence-seen set-queue-known close end');
  });

  test('is told once: a second give-up and the end of a try say nothing more', () => {
    const [state] = gaveUp(inGrace);
    expect(gaveUp(state)).toEqual([state, []]);
    const left = feed(waiting({ until: NOW.mono, abandoned: true }), wake, {}, TRY)[1];
    expect(names(left)).toBe('set-queue-known close');
    const inHand = inspectingForeign({ until: NOW.mono, abandoned: true });
    expect(feed(inHand, wake, {}, TRY)).toEqual([inHand, []]);
  });

  test('is never granted what is handed out afterwards: its fence is remembered, the channel is closed', () => {
    const [state] = gaveUp(inGrace);
    expect(feed(state, delivered(3))[1]).toEqual([
      { do: 'fence-seen', fence: 1_003n },
      { do: 'set-queue-known', known: false },
      { do: 'close', channelId: LINE },
    ]);
  });

  describe('stays when the foreign message was acked, since what is ready may be one more probe', () => {
    const [acked, effects] = feed(gaveUp(inspectingForeign())[0], looked(1));

    test('and acks without leaving', () => {
      expect(place(acked)).toBe('waiting+abandoned');
      expect(effects).toEqual([{ do: 'ack', channelId: LINE, deliveryTag: 2 }]);
    });

    test('until a token comes, which is never granted', () => {
      expect(names(feed(acked, delivered(3))[1])).toBe('fence-seen set-queue-known close');
    });

    test('until the next foreign message, seen to its end, leads to starting over', () => {
      const [state, all] = run(acked, RULES, [
        [delivered(0, probeBody), {}],
        [looked(0, LINE + 2), {}],
        [wake, { now: later(2_000) }],
        [looked(0, LINE + 3), { now: later(2_000) }],
      ]);
      expect(names(all)).toBe('look look purge');
      expect(place(state)).toBe('replacing/purging+abandoned');
    });

    test('until 2 s have passed without another', () => {
      expect(wakeAt(acked, RULES)).toBe(later(2_000).mono);
      expect(feed(acked, wake, { now: later(1_999) })).toEqual([acked, []]);
      const [state, leaving] = feed(acked, wake, { now: later(2_000) });
      expect([place(state), names(leaving)]).toEqual(['closing', 'set-queue-known close']);
    });

    test('and 2 s from the ack also when a grace has begun before', () => {
      const [state, all] = run(gaveUp(inGrace)[0], RULES, [
        [wake, { now: later(2_000) }],
        [looked(1, LINE + 2), { now: later(2_001) }],
        [wake, { now: later(4_000) }],
      ]);
      expect([place(state), names(all)]).toEqual(['waiting+abandoned', 'look ack']);
      expect(names(feed(state, wake, { now: later(4_001) })[1])).toBe('set-queue-known close');
    });
  });

  test('as a try with a foreign message in hand is refused as unavailable, and sees the foreign message to its end', () => {
    const state = inspectingForeign({ until: NOW.mono + 50 });
    const [next, effects] = feed(state, wake, { now: later(50) }, TRY);
    expect(effects).toEqual([{ do: 'refuse', refusal: { why: 'unavailable' } }]);
    expect(place(next)).toBe('waiting+foreign+abandoned');
  });
});

describe('the grace', () => {
  /** The first probe was handed out at 0 and the second came at 1.5 s: at 2 s it is ready behind the first. */
  const nextProbeBehind: Script = [
    [wake, { now: later(2_000) }],
    [looked(1, LINE + 2), { now: later(2_001) }],
  ];
  const nextProbeInHand: Script = [
    [delivered(0, probeBody), { now: later(2_002) }],
    [looked(0, LINE + 3), { now: later(2_003) }],
  ];

  test('is not restarted by the probes of a large fleet, each of which is ready while the last one is in hand', () => {
    const [state, effects] = run(inGrace, RULES, [...nextProbeBehind, ...nextProbeInHand]);
    expect(names(effects)).toBe('look ack look purge');
    expect(place(state)).toBe('replacing/purging');
  });

  test('is not restarted for a caller that gives up during such a flood either', () => {
    const [state, effects] = run(inGrace, RULES, [
      ...nextProbeBehind,
      [delivered(0, probeBody), { now: later(2_002) }],
      [giveUp, { now: later(2_002) }],
      [looked(0, LINE + 3), { now: later(2_003) }],
    ]);
    expect(names(effects)).toBe('look ack look refuse purge');
    expect(place(state)).toBe('replacing/purging+abandoned');
  });

  test('that is over by more than 2 s is forgotten when a new foreign message comes: it was about other foreign messages', () => {
    const acked = run(inGrace, RULES, nextProbeBehind)[0];
    const startsOver = (ms: number) => {
      const [state] = feed(acked, delivered(0, probeBody), { now: later(ms) });
      return names(feed(state, looked(0, LINE + 3), { now: later(ms + 1) })[1]) === 'purge';
    };
    expect(startsOver(4_000)).toBe(true);
    expect(startsOver(4_001)).toBe(false);
  });

  test('that was forgotten begins again, with two looks of its own', () => {
    const acked = run(inGrace, RULES, nextProbeBehind)[0];
    const [state, effects] = run(acked, RULES, [
      [delivered(0, probeBody), { now: later(9_000) }],
      [looked(0, LINE + 3), { now: later(9_001) }],
    ]);
    expect(names(effects)).toBe('look');
    expect(wakeAt(state, RULES)).toBe(later(11_001).mono);
  });

  test('begins with a look that shows nothing, not with an ack: one such look 2 s later removes nothing', () => {
    const [state, effects] = run(inspectingForeign(), RULES, [
      [looked(1), {}],
      [delivered(0, probeBody), { now: later(2_000) }],
      [looked(0, LINE + 2), { now: later(2_000) }],
    ]);
    expect(names(effects)).toBe('ack look');
    expect(wakeAt(state, RULES)).toBe(later(4_000).mono);
  });

  test('ends with the place in line: a fresh channel begins without one', () => {
    const [state] = run(inGrace, RULES, [
      [{ type: 'closed', channelId: LINE, scope: 'connection' }, {}],
      [{ type: 'consuming', channelId: LINE + 2, traits: V4_3 }, {}],
    ]);
    expect(state).toMatchObject({ at: 'waiting', graceUntil: undefined });
  });

  test('wakes nobody who waits without a foreign message in hand', () => {
    const state = run(inGrace, RULES, nextProbeBehind)[0];
    expect(wakeAt(state, RULES)).toBeUndefined();
    expect(feed(state, wake, { now: later(60_000) })).toEqual([state, []]);
  });
});

describe('one foreign message after the other', () => {
  /** Each is looked into, and shows more behind it. */
  function flood(from: ContenderState, many: number) {
    let state = from;
    const done: string[] = [];
    for (let i = 0; i < many && state.at === 'waiting'; i += 1) {
      const [inHand, look] = feed(state, delivered(0, junkBody));
      const call = 'epoch' in inHand ? inHand.epoch : 0;
      const [next, ack] = feed(inHand, looked(3_000, call));
      done.push(...[...look, ...(inHand.at === 'waiting' ? ack : [])].map((effect) => effect.do));
      state = inHand.at === 'waiting' ? next : inHand;
    }
    return { state, done };
  }

  test('is looked into 20 times in one place in line; then the lock is started over, whatever is ready', () => {
    const { state, done } = flood(waiting(), 3_000);
    expect(done.filter((what) => what === 'look')).toHaveLength(20);
    expect(done.filter((what) => what === 'ack')).toHaveLength(20);
    expect(done.at(-1)).toBe('purge');
    expect(place(state)).toBe('replacing/purging');
  });

  test('by who has no caller any more as well', () => {
    const { state } = flood(waiting({ abandoned: true }), 3_000);
    expect(place(state)).toBe('replacing/purging+abandoned');
  });

  test('keeps nobody from seeding: no look is asked whether something is ready', () => {
    const { state } = flood(waiting(), 3_000);
    const call = 'epoch' in state ? state.epoch : 0;
    const [next, effects] = run(state, RULES, [
      [{ type: 'purged', call }, {}],
      [{ type: 'seeded', call: call + 1 }, {}],
      [delivered(0, junkBody), {}],
    ]);
    expect(names(effects)).toBe('seed ack ack');
    expect(place(next)).toBe('replacing/arriving+owed');
  });

  test('is counted for each place in line apart', () => {
    const { state } = flood(waiting(), 20);
    expect(state).toMatchObject({ at: 'waiting', foreignCount: 20 });
    const [again] = run(state, RULES, [
      [{ type: 'closed', channelId: LINE, scope: 'connection' }, {}],
      [{ type: 'consuming', channelId: LINE + 21, traits: V4_3 }, {}],
    ]);
    expect(again).toMatchObject({ at: 'waiting', foreignCount: 0 });
  });
});
