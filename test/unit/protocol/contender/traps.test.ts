import { describe, expect, test } from 'vitest';
import { lockQueueArguments } from '../../../../src/protocol/queues.ts';
import { ranLately } from '../../../../src/protocol/stall-detector.ts';
import {
  delivered,
  feed,
  granting,
  HOLD,
  held,
  inspectingForeign,
  junkBody,
  LINE,
  later,
  NOW,
  names,
  newerBody,
  OTHER_ID,
  opening,
  place,
  probeBody,
  RULES,
  retryable,
  run,
  tokenBody,
  V4_3,
  verifying,
  waiting,
} from './fixtures.ts';

/** The numbers are those of the list of traps in the protocol's design. */
describe('trap', () => {
  test('1: giving up and releasing is one close and never a cancel, whatever is unacked', () => {
    const giveUps = [waiting(), granting(), opening('consuming')].map(
      (state) => feed(state, { type: 'give-up' })[1],
    );
    const releases = [held(), verifying()].map((state) => feed(state, { type: 'release' })[1]);
    for (const effects of giveUps) expect(names(effects)).toBe('refuse set-queue-known close');
    for (const effects of releases) expect(names(effects)).toBe('close');
  });

  test('2: a channel is never used again: each new place in line has a number that nobody had', () => {
    const lost = { type: 'closed', scope: 'connection', error: retryable } as const;
    const [state, effects] = run({ at: 'idle', epoch: 0 }, RULES, [
      [{ type: 'start', known: true }, {}],
      [{ ...lost, channelId: 1 }, {}],
      [{ type: 'consuming', channelId: 2, traits: V4_3 }, {}],
      [{ ...lost, channelId: 2 }, {}],
      [{ type: 'consuming', channelId: 3, traits: V4_3 }, {}],
      [{ type: 'cancelled', channelId: 3 }, {}],
      [{ type: 'wake' }, { now: later(50) }],
      [{ type: 'declared', call: 5, depth: { ready: 1, consumers: 0 } }, {}],
      [{ type: 'consuming', channelId: 6, traits: V4_3 }, {}],
      [
        {
          type: 'delivered',
          channelId: 2,
          delivery: { deliveryTag: 9, body: tokenBody(), returns: 3, nacked: undefined },
        },
        {},
      ],
    ]);
    const lines = effects.flatMap((effect) => (effect.do === 'consume' ? [effect.channelId] : []));
    expect(lines).toEqual([1, 2, 3, 6]);
    expect(state).toMatchObject({ at: 'waiting', channelId: 6 });
  });

  test('3: "my token came back" is no proof, a count that fits is no proof, only id, base and count are', () => {
    const back = delivered(HOLD.returns + 2);
    const otherId = delivered(HOLD.returns + 1, tokenBody({ id: OTHER_ID }));
    const otherBase = delivered(HOLD.returns + 1, tokenBody({ base: HOLD.base + 5n }));
    for (const answer of [back, otherId, otherBase]) {
      expect(place(feed(verifying(), answer)[0])).toBe('lost/superseded');
      expect(names(feed(granting(), answer)[1])).toBe('fence-seen close consume');
    }
    expect(place(feed(verifying(), delivered(HOLD.returns + 1))[0])).toBe('held');
  });

  test('4: a token is never acked, not even one that is given back, not even behind a foreign message', () => {
    const looked = { type: 'looked', call: LINE + 1, depth: { ready: 1, consumers: 1 } } as const;
    for (const body of [tokenBody(), newerBody, tokenBody({ at: 0 })]) {
      for (const highestSeen of [0n, 99_999n]) {
        const [, effects] = run(waiting(), RULES, [
          [delivered(0, body), { highestSeen }],
          [looked, { highestSeen }],
        ]);
        expect(names(effects)).not.toContain('ack');
      }
    }
    const [taken] = feed(inspectingForeign(), delivered(3));
    expect(feed(taken, looked)[1]).toEqual([]);
  });

  test('5: a probe, a foreign message or an old seed that surfaces with count 0 is never granted, in any grant mode', () => {
    const bodies = [probeBody, junkBody, tokenBody({ at: NOW.wall - 60_001 }), newerBody];
    for (const body of bodies) {
      for (const grant of ['auto', 'verified', 'immediate'] as const) {
        for (const mode of ['wait', 'try'] as const) {
          const [, effects] = feed(waiting(), delivered(0, body), {}, { ...RULES, grant, mode });
          expect(names(effects)).not.toMatch(/grant|requeue|reject/);
        }
      }
    }
  });

  test('7: a holder has no request of its own on its channel: its questions are a reject or a nack, or go to another connection', () => {
    const effects = [
      ...feed(held(), { type: 'verify' })[1],
      ...feed(verifying({ again: true }), delivered(HOLD.returns + 1))[1],
      ...feed(held(), { type: 'cancelled', channelId: LINE })[1],
    ];
    expect(names(effects)).toBe('reject fence-seen proven reject set-queue-known look');
  });

  test('9: the delivery limit is there, and is neither -1 nor small', () => {
    expect(lockQueueArguments()['x-delivery-limit']).toBe(1_000_000_000);
  });

  test('10: a lease runs from the sending: an answer that took long prolongs it by less', () => {
    const [state] = run(verifying({ sentAt: later(1_000) }), RULES, [
      [delivered(HOLD.returns + 1), { now: later(14_900) }],
    ]);
    expect(place(feed(state, { type: 'wake' }, { now: later(15_999) })[0])).not.toMatch(/^lost/);
    expect(place(feed(state, { type: 'wake' }, { now: later(16_000) })[0])).toBe('lost/verification-timeout');
  });

  test('10: a process that was stopped does not believe the delivery that it finds when it wakes up', () => {
    const pulse = { previous: NOW, last: later(250) };
    const now = later(60_000);
    const [state, effects] = feed(waiting(), delivered(3), { now, ranLately: ranLately(pulse, now) });
    expect(place(state)).toBe('granting');
    expect(names(effects)).not.toContain('grant');
  });
});
