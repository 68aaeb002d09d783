import { describe, expect, test } from 'vitest';
import { wakeAt } from '../../../../src/protocol/contender/step.ts';
import type { Rules } from '../../../../src/protocol/contender/types.ts';
import {
  counted,
  delaying,
  delivery,
  feed,
  granting,
  HOLD,
  LINE,
  later,
  NOW,
  names,
  place,
  RULES,
  run,
  V4_0,
  waiting,
} from './fixtures.ts';

const VERIFIED: Rules = { ...RULES, grant: 'verified' };
const DELAY_MS = RULES.leaseMs + 250;
/** A second ago this process has heard that the queue is no more. */
const ended = { queueEndedAt: NOW.mono - 1_000 };
const until = NOW.mono - 1_000 + DELAY_MS;
const fresh = { ...counted(0, 0), delivery: delivery(0, HOLD.body, 1, undefined) } as ReturnType<
  typeof counted
>;

describe('a process that has heard of the end of a queue grants nobody before a lease is over, with a token that', () => {
  test.each([
    ['nobody has had', fresh, counted(1, 1, 3)],
    ['somebody was granted and has released', counted(4, 2), counted(5, 3, 3)],
  ])('%s', (_what, token, proof) => {
    const [state, effects] = run(waiting(), VERIFIED, [
      [token, ended],
      [proof, ended],
    ]);
    expect([place(state), names(effects)]).toEqual([
      'delaying',
      'fence-seen set-queue-known requeue fence-seen',
    ]);
    expect(wakeAt(state, VERIFIED)).toBe(until);
    expect(
      names(feed(state, { type: 'wake' }, { ...ended, now: later(until - NOW.mono) }, VERIFIED)[1]),
    ).toBe('reject');
  });
});

test('it hears of a further end while it waits: it waits for that one', () => {
  const further = { queueEndedAt: NOW.mono + 14_000 };
  const [state, effects] = feed(delaying(), { type: 'wake' }, { ...further, now: later(DELAY_MS) }, VERIFIED);
  expect(effects).toEqual([]);
  expect(wakeAt(state, VERIFIED)).toBe(NOW.mono + 14_000 + DELAY_MS);
});

test('its caller gives up before the proof: the mark is left to the next one', () => {
  const [, effects] = feed(granting({ hold: { ...HOLD, nacked: 2 } }), { type: 'give-up' }, ended, VERIFIED);
  expect(names(effects)).toBe('refuse set-queue-known close');
});

test.each([
  ['once a lease is over', VERIFIED, { queueEndedAt: NOW.mono - DELAY_MS }, {}],
  ['where queues come and go by themselves', { ...VERIFIED, expires: true }, ended, {}],
  ['if it has heard of none', VERIFIED, {}, {}],
] as const)('it grants at once %s', (_when, rules, inputs, more) => {
  const [state] = run(waiting(more), rules, [
    [counted(4, 2), inputs],
    [counted(5, 3, 3), inputs],
  ]);
  expect(place(state)).toBe('held');
});

test('below 4.3, and without verified grants, it grants at once: nothing there waits for a lease', () => {
  const [old] = run(waiting({ traits: V4_0 }), VERIFIED, [
    [{ type: 'delivered', channelId: LINE, delivery: delivery(4) }, ended],
    [{ type: 'delivered', channelId: LINE, delivery: delivery(5, undefined, 3) }, ended],
  ]);
  expect(place(old)).toBe('held');
  expect(place(feed(waiting(), counted(4, 2), ended)[0])).toBe('held');
});
