import { describe, expect, test } from 'vitest';
import { ClosedError } from '../../../../src/errors.ts';
import { wakeAt } from '../../../../src/protocol/contender/step.ts';
import type { ContenderEvent, ContenderState } from '../../../../src/protocol/contender/types.ts';
import type { QueueDepth } from '../../../../src/protocol/port.ts';
import {
  counted,
  delivered,
  feed,
  HOLD,
  held,
  junkBody,
  LINE,
  later,
  NOW,
  names,
  newerBody,
  permanent,
  place,
  probeBody,
  RULES,
  replacing,
  retryable,
  run,
  TRY,
  tokenBody,
  V3_10,
  V4_0,
  V4_3,
  waiting,
} from './fixtures.ts';

const OWED = { owedUntil: NOW.mono + 60_000 };
const CALL = LINE + 1;
const wake = { type: 'wake' } as const;
const answer = (type: 'probed' | 'purged' | 'seeded', call = CALL) => ({ type, call });
const looked = (ready: number, call = CALL): ContenderEvent => ({
  type: 'looked',
  call,
  depth: { ready, consumers: 1 },
});
const failed = (error = retryable, call = CALL) => ({ type: 'call-failed', call, error }) as const;
const closed = { type: 'closed', channelId: LINE, scope: 'connection', error: retryable } as const;
const does = ([state, effects]: readonly [ContenderState, Parameters<typeof names>[0]]) =>
  `${place(state)}: ${names(effects)}`;

describe('replacing the token', () => {
  test('purges, seeds, and acks what is in hand once a look shows just the new token; the place in line stays', () => {
    const [state, effects] = run(waiting(), RULES, [
      [delivered(5), { highestSeen: 1_005n }],
      [answer('purged', LINE + 1), {}],
      [answer('seeded', LINE + 2), {}],
      [looked(1, LINE + 3), {}],
      [delivered(0, tokenBody({ base: 2_000n })), { highestSeen: 1_005n }],
    ]);
    expect(place(state)).toBe('held');
    expect(effects).toEqual([
      { do: 'fence-seen', fence: 1_005n },
      { do: 'purge', call: LINE + 1 },
      { do: 'seed', call: LINE + 2 },
      { do: 'look', call: LINE + 3 },
      { do: 'ack', channelId: LINE, deliveryTag: 2 },
      { do: 'fence-seen', fence: 2_000n },
      { do: 'set-queue-known', known: true },
      { do: 'grant', fence: 2_000n },
    ]);
  });

  test('begins again when something came between the purge and the seed, and ends after a few times', () => {
    for (const ready of [0, 2, 7]) {
      let [state, effects] = feed(replacing('looking'), looked(ready));
      expect(names(effects)).toBe('purge');
      for (let round = 1; round < 5; round += 1) {
        [state, effects] = run(state, RULES, [
          [answer('purged', state.epoch), {}],
          [answer('seeded', state.epoch + 1), {}],
          [looked(ready, state.epoch + 2), {}],
        ]);
        expect(names(effects)).toBe('seed look purge');
      }
      const over = run(state, RULES, [
        [answer('purged', state.epoch), {}],
        [answer('seeded', state.epoch + 1), {}],
        [looked(ready, state.epoch + 2), {}],
      ]);
      expect(does(over)).toBe('opening/resting: seed look close set-queue-known');
    }
  });

  test('gives back what is in hand when the broker does not answer in time, refuses, or loses the queue', () => {
    for (const phase of ['purging', 'seeding', 'looking'] as const) {
      const state = replacing(phase);
      expect(wakeAt(state, RULES)).toBe(NOW.mono + 5_000);
      expect(feed(state, wake, { now: later(4_999) })).toEqual([state, []]);
      expect(does(feed(state, wake, { now: later(5_000) }))).toBe('opening/resting: close set-queue-known');
      expect(does(feed(state, failed()))).toBe('opening/resting: close set-queue-known');
      expect(feed(state, failed(permanent))[1]).toEqual([
        { do: 'close', channelId: LINE },
        { do: 'refuse', refusal: { why: 'failed', error: permanent } },
        { do: 'set-queue-known', known: false },
        { do: 'end' },
      ]);
    }
    const absent = { type: 'looked', call: CALL, depth: 'absent' } as const;
    expect(feed(replacing('looking'), absent)).toEqual([replacing('looking'), []]); // the cancel tells
  });

  test('looks for a new token that has not come after a second, and seeds when there is none', () => {
    const state = replacing('arriving', { ...OWED, until: NOW.mono + 1_000 });
    expect(feed(state, wake, { now: later(999) })).toEqual([state, []]);
    const [looking, effects] = feed(state, wake, { now: later(1_000) });
    expect(effects).toEqual([{ do: 'look', call: LINE + 2 }]);
    expect(does(feed(looking, looked(0, LINE + 2)))).toBe('replacing/seeding+owed: seed');
    // It is there, and does not come here: the place in line is not what it was.
    expect(does(feed(looking, looked(1, LINE + 2)))).toBe('opening/consuming: close consume');
  });

  test('acks whatever comes in the place of the new token and must not be granted either', () => {
    for (const [body, what] of [
      [probeBody, 'ack'],
      [junkBody, 'ack'],
      [tokenBody({ base: 3n }), 'fence-seen ack'],
    ] as const) {
      const state = replacing('arriving', OWED);
      expect(does(feed(state, delivered(1, body), { highestSeen: 1_005n }))).toBe(
        `replacing/arriving+owed: ${what}`,
      );
    }
  });

  test('gives back a token of a newer version, as ever', () => {
    expect(does(feed(replacing('arriving', OWED), delivered(1, newerBody)))).toBe(
      'closing: refuse set-queue-known close',
    );
  });

  test('in a try is granted with the arrival', () => {
    expect(does(feed(replacing('arriving', OWED), delivered(0), {}, TRY))).toBe(
      'held: fence-seen set-queue-known grant',
    );
  });

  test('from 4.3 on makes a token that no verified holder has had: the next grant waits for a lease', () => {
    const verified = { ...RULES, grant: 'verified' } as const;
    const state = replacing('arriving', { ...OWED, traits: V4_3 });
    const [granting] = feed(state, delivered(0), { highestSeen: 5n }, verified);
    expect(granting).toMatchObject({ at: 'granting', isReplacement: true });
    const [delaying] = feed(granting, counted(1, 1), { highestSeen: 5n }, verified);
    expect(place(delaying)).toBe('delaying');
  });
});

describe('once what was in hand is acked', () => {
  const seeding = replacing('seeding', OWED);

  test('a seed that fails is tried again after 250 ms, one without an answer at once, also when the channel has gone', () => {
    for (const channelId of [LINE, undefined]) {
      const state = replacing('seeding', { ...OWED, channelId });
      const [resting, none] = feed(state, failed(permanent));
      expect([none, wakeAt(resting, RULES)]).toEqual([[], NOW.mono + 250]);
      expect(does(feed(resting, wake, { now: later(250) }))).toBe('replacing/seeding+owed: seed');
      expect(does(feed(state, wake, { now: later(5_000) }))).toBe('replacing/seeding+owed: seed');
    }
    expect(does(feed(seeding, closed))).toBe('replacing/seeding+owed: ');
  });

  test('a look that fails or is not answered is followed by a seed: a second token is inert, a missing one is not', () => {
    const looking = replacing('looking', OWED);
    expect(does(feed(looking, failed()))).toBe('replacing/seeding+owed: seed');
    expect(does(feed(looking, wake, { now: later(5_000) }))).toBe('replacing/seeding+owed: seed');
  });

  test('the seed is given up after a minute, and at once when the session is closed', () => {
    expect(does(feed(seeding, wake, { now: later(60_000) }))).toBe('opening/resting: close set-queue-known');
    expect(does(feed(seeding, failed(new ClosedError('closed'))))).toBe(
      'released: close refuse set-queue-known end',
    );
  });

  test('a shutdown tells the caller, and leaves when there is a token', () => {
    const shutdown = { type: 'shutdown' } as const;
    const [state, effects] = run(seeding, RULES, [
      [shutdown, {}],
      [answer('seeded'), {}],
      [delivered(0), {}],
    ]);
    expect(names(effects)).toBe('refuse fence-seen set-queue-known close');
    expect(place(state)).toBe('closing');
    expect(does(feed(replacing('arriving', OWED), shutdown))).toBe('closing: refuse set-queue-known close');
  });
});

describe('the release of a long log', () => {
  const release = (traits: typeof V4_0 | typeof V3_10) =>
    feed(held({ hold: { ...HOLD, returns: 100_001 }, traits }), { type: 'release' });
  const depth = (ready: number): QueueDepth => ({ ready, consumers: 1 });

  test('from 4.0 on acks the old token only when the new one is confirmed and alone', () => {
    const [state, effects] = run(release(V4_0)[0], RULES, [
      [answer('purged', LINE + 1), {}],
      [answer('seeded', LINE + 2), {}],
      [{ type: 'looked', call: LINE + 3, depth: depth(1) }, {}],
      [delivered(0), {}],
      [{ type: 'closed', channelId: LINE, scope: 'channel' }, {}],
    ]);
    expect(names([...release(V4_0)[1], ...effects])).toBe(
      'purge seed look ack fence-seen set-queue-known close end',
    );
    expect(place(state)).toBe('released');
  });

  test('on 3.x shows by a probe that it may publish, acks after the purge, and seeds into the empty queue', () => {
    const [state, effects] = run(release(V3_10)[0], RULES, [
      [answer('probed', LINE + 1), {}],
      [answer('purged', LINE + 2), {}],
      [{ type: 'looked', call: LINE + 3, depth: depth(0) }, {}],
      [answer('seeded', LINE + 4), {}],
      [delivered(0), {}],
      [{ type: 'closed', channelId: LINE, scope: 'channel' }, {}],
    ]);
    expect(names([...release(V3_10)[1], ...effects])).toBe(
      'probe purge ack look seed fence-seen set-queue-known close end',
    );
    expect(place(state)).toBe('released');
  });

  test('awaits what somebody else has seeded meanwhile', () => {
    const looking = replacing('looking', { ...OWED, releases: true, abandoned: true, traits: V3_10 });
    expect(does(feed(looking, looked(1)))).toBe('replacing/arriving+owed+abandoned: ');
  });

  test('is an ordinary close when a publish or a purge is refused, fails, or is not answered within a second', () => {
    for (const [traits, phases] of [
      [V4_0, ['purging', 'seeding', 'looking']],
      [V3_10, ['trying', 'purging']],
    ] as const) {
      const [before] = release(traits);
      expect(wakeAt(before, RULES)).toBe(NOW.mono + 1_000);
      for (const phase of phases) {
        const state = replacing(phase, { releases: true, abandoned: true, traits, until: NOW.mono + 1_000 });
        expect(does(feed(state, failed(permanent)))).toBe('closing: set-queue-known close');
        expect(does(feed(state, wake, { now: later(1_000) }))).toBe('closing: set-queue-known close');
        expect(does(feed(state, closed))).toBe('released: set-queue-known end');
      }
    }
  });
});
