import { describe, expect, test } from 'vitest';
import type { ContenderState } from '../../../../src/protocol/contender/types.ts';
import { entry, LINE as REGISTER_LINE, Steps } from '../register/fixtures.ts';
import {
  delaying,
  delivered,
  feed,
  granting,
  HOLD,
  held,
  LINE,
  lookingBehindStray,
  NOW,
  names,
  OTHER_ID,
  parting,
  place,
  RULES,
  renewing,
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
  'who waits for the end of a lease': [delaying(), 'renewing/purging', 'purge'],
  'who does so without a caller': [delaying({ abandoned: true }), 'renewing/purging+abandoned', 'purge'],
  'who holds': [held(), 'renewing/purging+abandoned', 'saw lose purge'],
  'who asks whether it still holds': [verifying(), 'renewing/purging+abandoned', 'saw lose purge'],
  'who has released, and awaits an answer': [parting(), 'renewing/purging+abandoned', 'saw purge'],
  'who seeds already': [renewing('seeding'), 'renewing/seeding', 'saw ack'],
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
    [{ type: 'looked', call: LINE + 2, depth: { ready: 0, consumers: 1 } }, {}],
    [{ type: 'seeded', call: LINE + 3 }, {}],
    [{ type: 'closed', line: LINE, scope: 'channel' }, {}],
  ]);
  expect(place(state)).toBe('released');
  expect(names(effects)).toBe('saw lose purge ack look seed know close end');
});
