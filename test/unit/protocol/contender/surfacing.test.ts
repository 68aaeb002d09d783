import { describe, expect, test } from 'vitest';
import type { ContenderEvent, ContenderState } from '../../../../src/protocol/contender/types.ts';
import type { Instant } from '../../../../src/protocol/instant.ts';
import { entry, LINE as REGISTER_LINE, Steps } from '../register/fixtures.ts';
import {
  delaying,
  delivered,
  feed,
  granting,
  HOLD,
  held,
  inspectingForeign,
  LINE,
  later,
  NOW,
  names,
  OTHER_ID,
  permanent,
  place,
  RULES,
  releasing,
  replacing,
  retryable,
  run,
  tokenBody,
  verifying,
  waiting,
} from './fixtures.ts';

/** Nobody ever had it, and it is older than a minute. */
const seed = tokenBody({ id: OTHER_ID, at: NOW.wall - 60_001 });

const STATES: Record<string, readonly [ContenderState, string, string]> = {
  'who waits': [waiting(), 'replacing/purging', 'fence-seen purge'],
  'who waits without a caller': [
    waiting({ abandoned: true }),
    'replacing/purging+abandoned',
    'fence-seen purge',
  ],
  'who has a foreign message in hand, without a caller': [
    inspectingForeign({ abandoned: true }),
    'replacing/purging+abandoned',
    'fence-seen purge',
  ],
  'who awaits the proof of a grant': [granting(), 'replacing/purging', 'fence-seen purge'],
  'who waits for the end of a lease': [delaying(), 'replacing/purging', 'fence-seen purge'],
  'who does so without a caller': [
    delaying({ abandoned: true }),
    'replacing/purging+abandoned',
    'fence-seen purge',
  ],
  'who holds': [held(), 'replacing/purging+abandoned', 'fence-seen lost purge'],
  'who asks whether it still holds': [verifying(), 'replacing/purging+abandoned', 'fence-seen lost purge'],
  'who has released, and awaits an answer': [releasing(), 'replacing/purging+abandoned', 'fence-seen purge'],
  'who replaces already, and had it taken back': [
    replacing('looking', { abandoned: true }),
    'replacing/purging+abandoned',
    'fence-seen purge',
  ],
  'who awaits a new token': [
    replacing('arriving', { owedUntil: NOW.mono + 60_000 }),
    'replacing/arriving+owed',
    'fence-seen ack',
  ],
};

describe('a seed that is older than a minute is replaced, and never given back, by', () => {
  test.each(Object.entries(STATES))('%s', (_who, [state, where, what]) => {
    const [next, effects] = feed(state, delivered(0, seed));
    expect([place(next), names(effects)]).toEqual([where, what]);
    if (next.at === 'replacing') expect(next.channelId).toBe(LINE);
  });

  test('who reads the register, and goes on for its caller on a fresh channel', () => {
    const steps = new Steps().toReading();
    steps.feed(entry('a', { returns: 1 }));
    expect(steps.does(delivered(0, seed, REGISTER_LINE))).toBe('fence-seen purge');
    expect(steps.state.contender).toMatchObject({ at: 'replacing', abandoned: false, rejoins: true });
  });
});

describe('who has such a seed in hand acks it rather than give it back', () => {
  const call = LINE + 1;
  const inHand = replacing('seeding', { surfaced: OTHER_ID });
  const young = tokenBody({ id: HOLD.id, at: NOW.wall, base: 5_000n });
  const ends: Record<string, readonly [ContenderEvent, string, { now?: Instant }?]> = {
    'a seed that is refused': [
      { type: 'call-failed', call, error: permanent },
      'ack close refuse set-queue-known end',
    ],
    'a seed that fails': [{ type: 'call-failed', call, error: retryable }, 'ack close set-queue-known'],
    'an answer that is late': [{ type: 'wake' }, 'ack close set-queue-known', { now: later(5_000) }],
    'a coordinator that closes': [{ type: 'shutdown' }, 'ack refuse set-queue-known close'],
    'a consumer that is cancelled': [{ type: 'cancelled', channelId: LINE }, 'ack set-queue-known close'],
  };

  test.each(Object.entries(ends))('%s', (_why, [event, what, inputs]) => {
    expect(names(feed(inHand, event, inputs)[1])).toBe(what);
  });

  test('but not what is in hand after it, nor what has gone with its channel', () => {
    expect(names(feed(inHand, delivered(0, young))[1])).toBe('fence-seen close consume');
    const closed = { type: 'closed', channelId: LINE, scope: 'connection', error: retryable } as const;
    expect(names(feed(inHand, closed)[1])).toBe('consume');
    const owing = { ...inHand, phase: 'arriving', owedUntil: NOW.mono + 60_000 } as const;
    expect(names(feed(owing, { type: 'shutdown' })[1])).toBe('refuse set-queue-known close');
  });

  test('also when the broker took it back and hands it over again, one count higher', () => {
    const [next, effects] = feed(inHand, delivered(1, seed));
    expect([place(next), names(effects)]).toEqual(['replacing/purging', 'fence-seen purge']);
    expect(names(feed(next, { type: 'shutdown' })[1])).toBe('ack refuse set-queue-known close');
  });
});

test('a token that is not above the highest fence seen is replaced by who has another one in hand, too', () => {
  const lower = tokenBody({ id: OTHER_ID, base: 1n });
  const [next, effects] = feed(held(), delivered(3, lower), { highestSeen: HOLD.fence });
  expect([place(next), names(effects)]).toEqual(['replacing/purging+abandoned', 'fence-seen lost purge']);
});

test('the own token with another count is given back, as any token that somebody may be granted', () => {
  for (const returns of [2, 3, 7]) {
    expect(names(feed(held(), delivered(returns))[1])).toBe('fence-seen lost close');
  }
  const young = tokenBody({ id: OTHER_ID, at: NOW.wall, base: 5_000n });
  expect(names(feed(held(), delivered(0, young))[1])).toBe('fence-seen lost close');
  expect(names(feed(waiting({ abandoned: true }), delivered(3))[1])).toBe('fence-seen set-queue-known close');
});

test('who has lost its hold to it sees the replacement to its end, and takes nothing of it', () => {
  const [state, effects] = run(held(), RULES, [
    [delivered(0, seed), {}],
    [{ type: 'purged', call: LINE + 1 }, {}],
    [{ type: 'seeded', call: LINE + 2 }, {}],
    [{ type: 'looked', call: LINE + 3, depth: { ready: 1, consumers: 1 } }, {}],
    [delivered(0, tokenBody({ id: OTHER_ID, at: NOW.wall, base: 5_000n })), {}],
    [{ type: 'closed', channelId: LINE, scope: 'channel' }, {}],
  ]);
  expect(place(state)).toBe('released');
  expect(names(effects)).toBe('fence-seen lost purge seed look ack fence-seen set-queue-known close end');
});
