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
  LINE,
  later,
  lookingBehindStray,
  NOW,
  names,
  OTHER_ID,
  parting,
  permanent,
  place,
  RULES,
  renewing,
  retryable,
  run,
  tokenBody,
  verifying,
  waiting,
} from './fixtures.ts';

/** Nobody ever had it, and it is older than a minute. */
const seed = tokenBody({ id: OTHER_ID, at: NOW.wall - 60_001 });

const STATES: Record<string, readonly [ContenderState, string, string]> = {
  'who waits': [waiting(), 'renewing/purging', 'saw purge'],
  'who waits without a caller': [waiting({ abandoned: true }), 'renewing/purging+abandoned', 'saw purge'],
  'who has a stray in hand, without a caller': [
    lookingBehindStray({ abandoned: true }),
    'renewing/purging+abandoned',
    'saw purge',
  ],
  'who awaits the proof of a grant': [granting(), 'renewing/purging', 'saw purge'],
  'who waits for the end of a lease': [delaying(), 'renewing/purging', 'saw purge'],
  'who does so without a caller': [delaying({ abandoned: true }), 'renewing/purging+abandoned', 'saw purge'],
  'who holds': [held(), 'renewing/purging+abandoned', 'saw lose purge'],
  'who asks whether it still holds': [verifying(), 'renewing/purging+abandoned', 'saw lose purge'],
  'who has released, and awaits an answer': [parting(), 'renewing/purging+abandoned', 'saw purge'],
  'who replaces already, and had it taken back': [
    renewing('looking', { abandoned: true }),
    'renewing/purging+abandoned',
    'saw purge',
  ],
  'who awaits a new token': [
    renewing('arriving', { owedUntil: NOW.mono + 60_000 }),
    'renewing/arriving+owed',
    'saw ack',
  ],
};

describe('a seed that is older than a minute is replaced, and never given back, by', () => {
  test.each(Object.entries(STATES))('%s', (_who, [state, where, what]) => {
    const [next, effects] = feed(state, delivered(0, seed));
    expect([place(next), names(effects)]).toEqual([where, what]);
    if (next.at === 'renewing') expect(next.line).toBe(LINE);
  });

  test('who reads the register, and goes on for its caller on a fresh channel', () => {
    const steps = new Steps().toReading();
    steps.feed(entry('a', { returns: 1 }));
    expect(steps.does(delivered(0, seed, REGISTER_LINE))).toBe('saw purge');
    expect(steps.state.contender).toMatchObject({ at: 'renewing', abandoned: false, rejoins: true });
  });
});

describe('who has such a seed in hand acks it rather than give it back', () => {
  const call = LINE + 1;
  const inHand = renewing('seeding', { surfaced: OTHER_ID });
  const young = tokenBody({ id: HOLD.id, at: NOW.wall, base: 5_000n });
  const ends: Record<string, readonly [ContenderEvent, string, { now?: Instant }?]> = {
    'a seed that is refused': [{ type: 'call-failed', call, error: permanent }, 'ack close refuse know end'],
    'a seed that fails': [{ type: 'call-failed', call, error: retryable }, 'ack close know'],
    'an answer that is late': [{ type: 'wake' }, 'ack close know', { now: later(5_000) }],
    'a coordinator that closes': [{ type: 'shutdown' }, 'ack refuse know close'],
    'a consumer that is cancelled': [{ type: 'cancelled', line: LINE }, 'ack close know'],
  };

  test.each(Object.entries(ends))('%s', (_why, [event, what, around]) => {
    expect(names(feed(inHand, event, around)[1])).toBe(what);
  });

  test('but not what is in hand after it, nor what has gone with its channel', () => {
    expect(names(feed(inHand, delivered(0, young))[1])).toBe('saw close consume');
    const closed = { type: 'closed', line: LINE, scope: 'connection', error: retryable } as const;
    expect(names(feed(inHand, closed)[1])).toBe('consume');
    const owing = { ...inHand, phase: 'arriving', owedUntil: NOW.mono + 60_000 } as const;
    expect(names(feed(owing, { type: 'shutdown' })[1])).toBe('refuse know close');
  });

  test('also when the broker took it back and hands it over again, one count higher', () => {
    const [next, effects] = feed(inHand, delivered(1, seed));
    expect([place(next), names(effects)]).toEqual(['renewing/purging', 'saw purge']);
    expect(names(feed(next, { type: 'shutdown' })[1])).toBe('ack refuse know close');
  });
});

test('a token that is not above the highest fence seen is replaced by who has another one in hand, too', () => {
  const lower = tokenBody({ id: OTHER_ID, base: 1n });
  const [next, effects] = feed(held(), delivered(3, lower), { highestSeen: HOLD.fence });
  expect([place(next), names(effects)]).toEqual(['renewing/purging+abandoned', 'saw lose purge']);
});

test('the own token with another count is given back, as any token that somebody may be granted', () => {
  for (const returns of [2, 3, 7]) {
    expect(names(feed(held(), delivered(returns))[1])).toBe('saw lose close');
  }
  const young = tokenBody({ id: OTHER_ID, at: NOW.wall, base: 5_000n });
  expect(names(feed(held(), delivered(0, young))[1])).toBe('saw lose close');
  expect(names(feed(waiting({ abandoned: true }), delivered(3))[1])).toBe('saw know close');
});

test('who has lost its hold to it sees the replacement to its end, and takes nothing of it', () => {
  const [state, effects] = run(held(), RULES, [
    [delivered(0, seed), {}],
    [{ type: 'purged', call: LINE + 1 }, {}],
    [{ type: 'seeded', call: LINE + 2 }, {}],
    [{ type: 'looked', call: LINE + 3, depth: { ready: 1, consumers: 1 } }, {}],
    [delivered(0, tokenBody({ id: OTHER_ID, at: NOW.wall, base: 5_000n })), {}],
    [{ type: 'closed', line: LINE, scope: 'channel' }, {}],
  ]);
  expect(place(state)).toBe('released');
  expect(names(effects)).toBe('saw lose purge seed look ack saw know close end');
});
