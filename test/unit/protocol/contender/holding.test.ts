import { describe, expect, test } from 'vitest';
import { vouchedMs, wakeAt } from '../../../../src/protocol/contender/step.ts';
import type { At, ContenderEvent } from '../../../../src/protocol/contender/types.ts';
import {
  delivered,
  feed,
  granting,
  HOLD,
  held,
  junkBody,
  LINE,
  later,
  NOW,
  names,
  newerBody,
  OTHER_ID,
  place,
  probeBody,
  RULES,
  retryable,
  run,
  tokenBody,
  verifying,
} from './fixtures.ts';

const wake: ContenderEvent = { type: 'wake' };
const proof = delivered(HOLD.returns + 1);

describe('verification', () => {
  test('is sent every verifyEveryMs, counted from the sending of the last answered one', () => {
    expect(wakeAt(held(), RULES)).toBe(NOW.mono + 5_000);
    expect(feed(held(), wake, { now: later(4_999) })[1]).toEqual([]);
    const [state, effects] = feed(held(), wake, { now: later(5_000) });
    expect(effects).toEqual([{ do: 'reject', channelId: LINE, deliveryTag: HOLD.deliveryTag }]);
    expect(state).toMatchObject({ at: 'verifying', provenAt: NOW, sentAt: later(5_000) });
    const [proven] = feed(state, proof, { now: later(5_900) });
    expect(wakeAt(proven, RULES)).toBe(NOW.mono + 10_000);
  });

  test('uses the delivery tag of the last delivery, and each proof asks for one count more', () => {
    const [first] = feed(verifying(), proof);
    const [second, effects] = feed(first, { type: 'verify' });
    expect(effects).toEqual([{ do: 'reject', channelId: LINE, deliveryTag: 2 }]);
    expect(names(feed(second, delivered(HOLD.returns + 2))[1])).toBe('fence-seen proven');
    expect(place(feed(second, proof)[0])).toBe('lost/superseded');
  });

  test('there is one at a time: a call while one is under way asks once more after its answer', () => {
    const [asked, none] = run(verifying(), RULES, [
      [{ type: 'verify' }, {}],
      [{ type: 'verify' }, {}],
      [wake, { now: later(5_000) }],
    ]);
    expect(none).toEqual([]);
    const [state, effects] = feed(asked, proof, { now: later(6_000) });
    expect(effects).toEqual([
      { do: 'fence-seen', fence: 1_003n },
      { do: 'proven', sentAt: NOW },
      { do: 'reject', channelId: LINE, deliveryTag: 2 },
    ]);
    expect(state).toMatchObject({ at: 'verifying', again: false, sentAt: later(6_000), provenAt: NOW });
    expect(names(feed(state, delivered(HOLD.returns + 2))[1])).toBe('fence-seen proven');
  });

  test('that is proven leaves the fence of the lease as it was granted', () => {
    expect(feed(verifying(), proof)[0]).toMatchObject({
      at: 'held',
      hold: { fence: HOLD.fence, returns: 3 },
    });
  });

  test.each<[string, ContenderEvent]>([
    ['a bigger step', delivered(HOLD.returns + 2)],
    ['a count that fell', delivered(HOLD.returns - 1)],
    ['another token with the right count', delivered(HOLD.returns + 1, tokenBody({ id: OTHER_ID }))],
    ['another base with the right count', delivered(HOLD.returns + 1, tokenBody({ base: 1_001n }))],
    [
      'another token whose fence is just one higher',
      delivered(HOLD.returns, tokenBody({ id: OTHER_ID, base: 1_001n })),
    ],
    ['a probe', delivered(HOLD.returns + 1, probeBody)],
    ['a foreign message', delivered(HOLD.returns + 1, junkBody)],
    ['a newer token', delivered(HOLD.returns + 1, newerBody)],
    ['the token of another lock', delivered(HOLD.returns + 1, tokenBody({ name: 'else' }))],
  ])('answered with %s means that the lease is lost: superseded', (_what, answer) => {
    const [state, effects] = feed(verifying(), answer);
    expect(place(state)).toBe('lost/superseded');
    expect(names(effects)).toMatch(/^(fence-seen )?lost close$/);
  });

  test('a delivery that nobody asked for means that the lease is lost, even if it looks like a proof', () => {
    expect(place(feed(held(), proof)[0])).toBe('lost/superseded');
  });

  test('a count that did not rise is told as a broker that does not count', () => {
    const [state, effects] = feed(verifying(), delivered(HOLD.returns));
    expect(place(state)).toBe('lost/superseded');
    expect(effects).toContainEqual(
      expect.objectContaining({ do: 'lost', cause: expect.objectContaining({ code: 'unsupported-broker' }) }),
    );
  });

  test('what was seen in an answer is remembered even if the lease is lost by it', () => {
    const answer = delivered(HOLD.returns + 5);
    expect(feed(verifying(), answer)[1][0]).toEqual({ do: 'fence-seen', fence: 1_007n });
  });
});

describe('the lease', () => {
  test('runs from the sending of the last answered verification, not from its answer', () => {
    const [state] = run(held(), RULES, [
      [wake, { now: later(5_000) }],
      [proof, { now: later(14_000) }],
    ]);
    expect(state).toMatchObject({ at: 'held', provenAt: later(5_000) });
    expect(vouchedMs(state, RULES, later(14_000))).toBe(6_000);
    expect(place(feed(state, { type: 'verify' }, { now: later(20_000) })[0])).toBe(
      'lost/verification-timeout',
    );
  });

  test('is not prolonged by a question without an answer', () => {
    const [state] = feed(held(), wake, { now: later(14_000) });
    expect(vouchedMs(state, RULES, later(14_000))).toBe(1_000);
    expect(wakeAt(state, RULES)).toBe(NOW.mono + 15_000);
  });

  test('that is over by the time of the proof is lost: the wall clock was set back, and forward again', () => {
    const state = verifying({ sentAt: later(5_000, -15_000) });
    const [next, effects] = feed(state, proof, { now: later(5_100, 1_000) });
    expect(place(next)).toBe('lost/clock-jump');
    expect(names(effects)).toBe('fence-seen lost close');
    expect(place(feed(state, proof, { now: later(5_100, -1) })[0])).toBe('held');
  });

  test('that was granted with the first proof runs from the delivery', () => {
    const [state] = feed(granting(), proof, { now: later(9_000) });
    expect(vouchedMs(state, RULES, later(9_000))).toBe(6_000);
  });

  test('is vouched for by nobody in any other state', () => {
    expect(vouchedMs(granting(), RULES, NOW)).toBe(0);
    expect(vouchedMs({ at: 'released', epoch: 1 }, RULES, NOW)).toBe(0);
  });

  test.each<[string, ReturnType<typeof later>, At<'lost'>['reason']]>([
    ['without an answer on both clocks', later(15_000), 'verification-timeout'],
    ['without an answer while the wall clock was set back', later(15_000, -60_000), 'verification-timeout'],
    ['when a suspended machine wakes up: the monotonic clock stood still', later(3, 60_000), 'clock-jump'],
    ['when the wall clock is set past its end', later(14_000, 15_000), 'clock-jump'],
    [
      'a fraction of a millisecond early, as the wall clock counts whole ones, which is no jump',
      later(14_999.4, 15_000),
      'verification-timeout',
    ],
  ])('ends %s', (_what, now, reason) => {
    for (const state of [held(), verifying(), verifying({ cancelledUntil: NOW.mono + 250 })]) {
      const [next, effects] = feed(state, wake, { now });
      expect(next).toMatchObject({ at: 'lost', reason });
      expect(names(effects)).toBe('lost close');
      expect(vouchedMs(state, RULES, now)).toBe(0);
    }
  });

  test.each<[string, ContenderEvent]>([
    ['the proof that arrives', proof],
    ['a call of verify', { type: 'verify' }],
    ['a release', { type: 'release' }],
    ['a timer', wake],
    ['an event of a line that is long gone', { type: 'barrier', channelId: 1 }],
  ])(
    'that is over is noticed by %s, so a process that stood still does not wake up believing',
    (_what, event) => {
      expect(place(feed(verifying(), event, { now: later(15_000) })[0])).toBe('lost/verification-timeout');
    },
  );

  test('is not ended by giving up: that ends the wait only', () => {
    for (const state of [held(), verifying()]) expect(feed(state, { type: 'give-up' })).toEqual([state, []]);
  });
});

describe('losing', () => {
  test.each([
    ['channel', 'channel-closed'],
    ['connection', 'connection-closed'],
  ] as const)('the %s is losing the lease, with its error as the cause', (scope, reason) => {
    for (const state of [held(), verifying()]) {
      const [next, effects] = feed(state, { type: 'closed', channelId: LINE, scope, error: retryable });
      expect(next).toMatchObject({ at: 'lost', reason });
      expect(effects).toEqual([{ do: 'lost', reason, cause: retryable }]);
    }
  });

  test('by a shutdown closes the channel', () => {
    expect(names(feed(held(), { type: 'shutdown' })[1])).toBe('lost close');
  });

  test.each([
    ['absent', 'queue-deleted'],
    [{ ready: 0, consumers: 0 }, 'queue-deleted'],
    [{ ready: 1, consumers: 0 }, 'consumer-cancelled'],
    [{ ready: 0, consumers: 1 }, 'consumer-cancelled'],
    [{ ready: 1, consumers: 1 }, 'consumer-cancelled'],
  ] as const)('the consumer asks a passive look, and %j means %s', (depth, reason) => {
    const [asking, effects] = feed(held(), { type: 'cancelled', channelId: LINE });
    expect(effects).toEqual([
      { do: 'set-queue-known', known: false },
      { do: 'look', call: LINE + 1 },
    ]);
    const [state, end] = feed(asking, { type: 'looked', call: LINE + 1, depth });
    expect(state).toMatchObject({ at: 'lost', reason });
    expect(names(end)).toBe('lost close');
  });

  test('the consumer is losing the lease within 250 ms, also if the look is not answered', () => {
    const [asking] = feed(held(), { type: 'cancelled', channelId: LINE });
    expect(wakeAt(asking, RULES)).toBe(NOW.mono + 250);
    expect(feed(asking, wake, { now: later(249) })[1]).toEqual([]);
    expect(place(feed(asking, wake, { now: later(250) })[0])).toBe('lost/consumer-cancelled');
  });

  test('the consumer is losing the lease even if a proof comes in afterwards', () => {
    const [asking] = feed(verifying(), { type: 'cancelled', channelId: LINE });
    expect(place(feed(asking, proof)[0])).toBe('lost/superseded');
  });
});
