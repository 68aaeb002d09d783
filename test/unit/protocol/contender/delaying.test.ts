import { describe, expect, test } from 'vitest';
import { vouchedMs, wakeAt } from '../../../../src/protocol/contender/step.ts';
import type { Rules } from '../../../../src/protocol/contender/types.ts';
import {
  counted,
  delaying,
  delivered,
  delivery,
  feed,
  granting,
  HOLD,
  held,
  LINE,
  later,
  NOW,
  names,
  place,
  RULES,
  releasing,
  run,
  tokenBody,
  V4_0,
  V4_3,
  verifying,
  waiting,
} from './fixtures.ts';

const VERIFIED: Rules = { ...RULES, grant: 'verified' };
const DELAY_MS = RULES.leaseMs + 250;
const marked = { ...HOLD, returns: 5, nacked: 1 };
const wake = { type: 'wake' } as const;
const release = { type: 'release' } as const;
const over = { now: later(DELAY_MS) };

describe('a verified grant from 4.3 on', () => {
  test('of a token that was released marks it by a nack, and is given with the proof that is odd', () => {
    const [state, asked] = feed(waiting(), counted(4, 2), {}, VERIFIED);
    expect(names(asked)).toBe('fence-seen set-queue-known requeue');
    const [next, effects] = feed(state, counted(5, 3), {}, VERIFIED);
    expect(names(effects)).toBe('fence-seen grant proven');
    expect(next).toMatchObject({ at: 'held', hold: { nacked: 3, returns: 5 } });
  });

  test('of a fresh token, which has no counts yet, is the same', () => {
    const [state] = run(
      waiting(),
      VERIFIED,
      [
        [
          { ...counted(0, 0), delivery: { deliveryTag: 1, body: HOLD.body, returns: 0, nacked: undefined } },
          {},
        ],
        [counted(1, 1), {}],
      ].map(([event, changes]) => [event as ReturnType<typeof counted>, changes as object] as const),
    );
    expect(state).toMatchObject({ at: 'held', hold: { nacked: 1 } });
  });

  test('is not given by the answer to a reject, nor by a return that was no nack', () => {
    const [asked] = feed(waiting(), counted(4, 2), {}, VERIFIED);
    for (const answer of [counted(5, 2), counted(6, 2), counted(6, 3), counted(6, 4)]) {
      expect(names(feed(asked, answer, {}, VERIFIED)[1])).toBe('fence-seen close consume');
    }
  });

  test('of a token whose mark fell out wrong, by a broker that counted nacks like crashes, asks once more', () => {
    const before = { ...HOLD, returns: 57, nacked: undefined, fence: 1_057n };
    const [state, effects] = feed(granting({ hold: before }), counted(58, -56), {}, VERIFIED);
    expect(names(effects)).toBe('fence-seen requeue');
    const [next, more] = feed(state, counted(59, -55, 3), { highestSeen: 1_058n }, VERIFIED);
    expect(names(more)).toBe('fence-seen grant proven');
    expect(next).toMatchObject({ at: 'held', hold: { fence: 1_058n, nacked: -55 } });
  });

  test('has questions that leave the mark: a reject, and a proof that counts in both headers', () => {
    const [asked, effects] = feed(held({ hold: marked }), { type: 'verify' }, {}, VERIFIED);
    expect(names(effects)).toBe('reject');
    expect(names(feed(asked, counted(7, 1), {}, VERIFIED)[1])).toBe('fence-seen proven');
    for (const answer of [counted(6, 1), counted(6, 2), counted(7, 2), counted(7, 3), counted(8, 1)]) {
      expect(place(feed(asked, answer, {}, VERIFIED)[0])).toBe('lost/superseded');
    }
  });

  test.each(['auto', 'immediate'] as const)(
    'is what is delayed: %s takes a marked token at once',
    (grant) => {
      const rules = { ...RULES, grant };
      expect(feed(waiting(), counted(5, 1), {}, rules)[0].at).toBe('held');
      const [slow, effects] = feed(waiting(), counted(5, 1), { ranLately: false }, rules);
      expect(slow.at).toBe('granting');
      expect(names(effects)).toBe('fence-seen set-queue-known reject');
    },
  );

  test('below 4.3 knows no mark: every question is a nack', () => {
    const [state, effects] = feed(waiting({ traits: V4_0 }), counted(5, 1), {}, RULES);
    expect(names(effects)).toBe('fence-seen set-queue-known reject'); // the queue counts apart, whatever the node at hand says
    expect(state.at).toBe('granting');
    const traits = V4_0;
    expect(names(feed(held({ traits }), { type: 'verify' }, {}, VERIFIED)[1])).toBe('requeue');
  });
});

describe('the delay', () => {
  test('begins with a token that was not released: nobody is granted before a lease is over on the monotonic clock', () => {
    const [state, effects] = feed(waiting(), counted(5, 1), {}, VERIFIED);
    expect(names(effects)).toBe('fence-seen set-queue-known');
    expect(state).toMatchObject({ at: 'delaying', abandoned: false });
    expect(wakeAt(state, VERIFIED)).toBe(NOW.mono + DELAY_MS);
    expect(vouchedMs(state, VERIFIED, NOW)).toBe(0);
    for (const now of [later(DELAY_MS - 1), later(0, 1e9)]) {
      expect(feed(state, wake, { now }, VERIFIED)).toEqual([state, []]);
    }
    const [asked, question] = feed(state, wake, { now: later(DELAY_MS, -1e9) }, VERIFIED);
    expect(question).toEqual([{ do: 'reject', channelId: LINE, deliveryTag: 2 }]);
    expect(asked).toMatchObject({ at: 'granting', sentAt: later(DELAY_MS, -1e9) });
  });

  test('ends with a proof that is asked for then, and the lease runs from that question', () => {
    const [state, effects] = run(waiting(), VERIFIED, [
      [counted(5, 1), {}],
      [wake, over],
      [counted(7, 1, 3), { now: later(DELAY_MS + 40) }],
    ]);
    expect(names(effects)).toBe('fence-seen set-queue-known reject fence-seen grant proven');
    expect(state).toMatchObject({ at: 'held', provenAt: over.now, hold: { returns: 7, nacked: 1 } });
  });

  test('that is not answered, or wrongly, ends in a fresh place in line', () => {
    const [asked] = feed(delaying(), wake, over, VERIFIED);
    expect(names(feed(asked, wake, { now: later(DELAY_MS + RULES.leaseMs) }, VERIFIED)[1])).toBe(
      'close consume',
    );
    expect(names(feed(asked, counted(HOLD.returns + 4, 1), over, VERIFIED)[1])).toBe(
      'fence-seen close consume',
    );
  });

  test('of a try is not waited for: it is told at once, and sees the delay to its end for others', () => {
    const [state, effects] = feed(waiting(), counted(5, 1), {}, { ...VERIFIED, mode: 'try' });
    expect(place(state)).toBe('delaying+abandoned');
    expect(effects.at(-1)).toEqual({ do: 'refuse', refusal: { why: 'unavailable' } });
  });

  test('goes on when the caller gives up, and ends by giving the token back without its mark', () => {
    const [state, told] = feed(delaying(), { type: 'give-up' }, { now: later(100) }, VERIFIED);
    expect(told).toEqual([{ do: 'refuse', refusal: { why: 'gave-up' } }]);
    expect(feed(state, { type: 'give-up' }, {}, VERIFIED)).toEqual([state, []]);
    expect(feed(state, wake, { now: later(DELAY_MS - 1) }, VERIFIED)).toEqual([state, []]);
    const [end, effects] = feed(state, wake, over, VERIFIED);
    expect(effects).toEqual([
      { do: 'requeue', channelId: LINE, deliveryTag: HOLD.deliveryTag },
      { do: 'close', channelId: LINE },
    ]);
    expect(place(end)).toBe('closing');
  });

  test('is left to anybody who comes next when the coordinator closes', () => {
    expect(names(feed(delaying(), { type: 'shutdown' }, {}, VERIFIED)[1])).toBe(
      'refuse set-queue-known close',
    );
    const abandoned = delaying({ abandoned: true });
    expect(names(feed(abandoned, { type: 'shutdown' }, {}, VERIFIED)[1])).toBe('set-queue-known close');
  });
});

describe('a token that replaced another, of a lock that this process knows', () => {
  const known = { highestSeen: 900n };
  const again = granting({
    hold: { ...HOLD, returns: 0, nacked: undefined, fence: 1_000n },
    isReplacement: true,
  });

  test.each([
    [0, undefined],
    [4, 0],
  ])(
    'is marked and then kept for a lease (%d returns): anybody who had the one before may believe',
    (returns, nacked) => {
      const first = {
        type: 'delivered',
        channelId: LINE,
        delivery: delivery(returns, tokenBody(), 2, nacked),
      } as const;
      const [state, effects] = run(waiting(), VERIFIED, [
        [first, known],
        [counted(returns + 1, 1), { highestSeen: 1_000n + BigInt(returns) }],
      ]);
      expect(names(effects)).toBe('fence-seen set-queue-known requeue fence-seen');
      expect(state).toMatchObject({ at: 'delaying', abandoned: false, hold: { nacked: 1 } });
      const [next, granted] = run(state, VERIFIED, [
        [wake, over],
        [counted(returns + 3, 1, 3), { ...over, highestSeen: 1_001n + BigInt(returns) }],
      ]);
      expect(names(granted)).toBe('reject fence-seen grant proven');
      expect(next).toMatchObject({ at: 'held', hold: { fence: 1_001n + BigInt(returns) } });
    },
  );

  test('is granted at once to who does not know the lock, has no verified grants, or where idle queues expire', () => {
    const proof = counted(1, 1);
    const cases = [
      [{ highestSeen: 0n }, VERIFIED],
      [known, { ...VERIFIED, expires: true }],
    ] as const;
    for (const [inputs, rules] of cases) {
      const [state, effects] = run(waiting(), rules, [
        [counted(0, 0), inputs],
        [proof, { highestSeen: 1_000n }],
      ]);
      expect(names(effects)).toBe('fence-seen set-queue-known requeue fence-seen grant proven');
      expect(state.at).toBe('held');
    }
    expect(feed(waiting(), counted(0, 0), known, RULES)[0].at).toBe('held');
    const [before] = feed(waiting({ traits: V4_0 }), delivered(0), known, VERIFIED);
    expect(names(feed(before, delivered(1), { highestSeen: 1_000n }, VERIFIED)[1])).toBe(
      'fence-seen grant proven',
    );
  });

  test('and one that was granted since, and released, is granted at once', () => {
    const [state] = feed(waiting(), counted(7, 2), known, VERIFIED);
    expect(feed(state, counted(8, 3), { highestSeen: 1_007n }, VERIFIED)[0].at).toBe('held');
  });

  test('keeps its mark when the caller gives up before the proof: the next one waits', () => {
    expect(names(feed(again, { type: 'give-up' }, {}, VERIFIED)[1])).toBe('refuse set-queue-known close');
  });

  test('is not waited for by a try', () => {
    const [state, effects] = feed(
      again,
      counted(1, 1),
      { highestSeen: 1_000n },
      { ...VERIFIED, mode: 'try' },
    );
    expect(place(state)).toBe('delaying+abandoned');
    expect(effects.at(-1)).toEqual({ do: 'refuse', refusal: { why: 'unavailable' } });
  });
});

describe('a release of a verified hold from 4.3 on', () => {
  test('takes the mark away and closes in one go', () => {
    const [state, effects] = feed(held({ hold: marked }), release, {}, VERIFIED);
    expect(effects).toEqual([
      { do: 'requeue', channelId: LINE, deliveryTag: marked.deliveryTag },
      { do: 'close', channelId: LINE },
    ]);
    expect(place(state)).toBe('closing');
  });

  test('leaves the mark of somebody else’s hold: anybody who is granted at once does not know about the one before', () => {
    const hold = marked;
    expect(names(feed(held({ hold }), release)[1])).toBe('close');
    expect(names(feed(verifying({ hold }), release)[1])).toBe('close');
  });

  test('with a question under way awaits the answer, for 250 ms, and is over for the caller at once', () => {
    const [state, none] = feed(verifying({ hold: marked }), release, {}, VERIFIED);
    expect(none).toEqual([]);
    expect(state.at).toBe('releasing');
    expect(vouchedMs(state, VERIFIED, NOW)).toBe(0);
    const [end, effects] = feed(state, counted(7, 1, 9), {}, VERIFIED);
    expect(effects.slice(1)).toEqual([
      { do: 'requeue', channelId: LINE, deliveryTag: 9 },
      { do: 'close', channelId: LINE },
    ]);
    expect(place(end)).toBe('closing');
    expect(wakeAt(state, VERIFIED)).toBe(NOW.mono + 250);
    expect(feed(state, wake, { now: later(249) }, VERIFIED)).toEqual([state, []]);
    expect(names(feed(state, wake, { now: later(250) }, VERIFIED)[1])).toBe('close');
  });

  test('takes no mark away by an answer that is no proof', () => {
    for (const answer of [
      counted(HOLD.returns + 1, 1),
      counted(HOLD.returns + 2, 0),
      counted(HOLD.returns + 4, 1),
    ])
      expect(names(feed(releasing(), answer, {}, VERIFIED)[1])).toBe('fence-seen close');
  });

  test('whose consumer was cancelled has no answer to await', () => {
    const state = verifying({ hold: marked, cancelledUntil: 1e9 });
    expect(names(feed(state, release, {}, VERIFIED)[1])).toBe('close');
  });

  test('is also what a contender does that gives up before its proof has come: it may have set the mark', () => {
    const [state, told] = feed(granting({ hold: { ...HOLD, nacked: 2 } }), { type: 'give-up' }, {}, VERIFIED);
    expect(names(told)).toBe('refuse set-queue-known');
    expect(names(feed(state, counted(HOLD.returns + 1, 3), {}, VERIFIED)[1])).toBe(
      'fence-seen requeue close',
    );
    expect(names(feed(granting({ traits: V4_0 }), { type: 'give-up' }, {}, VERIFIED)[1])).toBe(
      'refuse set-queue-known close',
    );
  });

  test('is none when the hold is lost: the mark stays, and the next holder waits', () => {
    const hold = marked;
    for (const [state, event, inputs] of [
      [held({ hold }), wake, { now: later(RULES.leaseMs) }],
      [held({ hold }), { type: 'shutdown' }, {}],
      [verifying({ hold, traits: V4_3 }), counted(9, 1), {}],
    ] as const) {
      expect(names(feed(state, event, inputs, VERIFIED)[1])).not.toContain('requeue');
    }
  });
});
