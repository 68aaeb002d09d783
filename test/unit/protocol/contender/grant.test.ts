import { describe, expect, test } from 'vitest';
import { wakeAt } from '../../../../src/protocol/contender/step.ts';
import {
  delivered,
  delivery,
  feed,
  granting,
  HOLD,
  inLine,
  LINE,
  later,
  NOW,
  names,
  opening,
  place,
  RULES,
  run,
  tokenBody,
  V4_0,
  waiting,
} from './fixtures.ts';

const refused = (effects: readonly { do: string }[]) => effects.find((effect) => effect.do === 'refuse');

describe('grant', () => {
  const grantOn = (
    grant: 'auto' | 'verified' | 'immediate',
    version: [number, number, number],
    ranLately = true,
  ) => {
    const [state] = feed(waiting({ traits: { version } }), delivered(3), { ranLately }, { ...RULES, grant });
    return state.at === 'held' ? 'at once' : state.at === 'granting' ? 'with the first proof' : state.at;
  };

  test('goes to the fence that is base plus count, and the lease runs from the delivery', () => {
    const [state, effects] = feed(waiting(), delivered(5));
    expect(effects).toEqual([
      { do: 'fence-seen', fence: 1_005n },
      { do: 'set-queue-known', known: true },
      { do: 'grant', fence: 1_005n },
    ]);
    expect(state).toMatchObject({ at: 'held', provenAt: NOW, hold: { returns: 5, fence: 1_005n } });
  });

  test('is verified a millisecond later, when the caller has run', () => {
    const [state] = feed(waiting(), delivered(5));
    expect(wakeAt(state, RULES)).toBe(NOW.mono + 1);
    expect(feed(state, { type: 'wake' })[1]).toEqual([]);
    const now = later(1);
    const [next, effects] = feed(state, { type: 'wake' }, { now });
    expect(effects).toEqual([{ do: 'reject', channelId: LINE, deliveryTag: 2 }]);
    expect(next).toMatchObject({ at: 'verifying', provenAt: NOW, sentAt: now });
  });

  test('is not verified when the caller has released it by then: the answer would be nobody’s', () => {
    const [state] = feed(waiting(), delivered(5));
    const [next, effects] = feed(state, { type: 'release' });
    expect(effects).toEqual([{ do: 'close', channelId: LINE }]);
    expect(feed(next, { type: 'wake' })[1]).toEqual([]);
  });

  test.each<[[number, number, number], string]>([
    [[3, 10, 8], 'with the first proof'],
    [[4, 0, 5], 'with the first proof'],
    [[4, 2, 99], 'with the first proof'],
    [[4, 3, 0], 'at once'],
    [[4, 10, 0], 'at once'],
    [[5, 0, 0], 'at once'],
  ])('auto on RabbitMQ %j grants %s', (version, expected) => {
    expect(grantOn('auto', version)).toBe(expected);
    expect(grantOn('verified', version)).toBe('with the first proof');
    expect(grantOn('immediate', version)).toBe('at once');
  });

  test('after a stall the first proof is awaited in every mode: the delivery may be old', () => {
    for (const grant of ['auto', 'verified', 'immediate'] as const) {
      expect(grantOn(grant, [4, 3, 0], false)).toBe('with the first proof');
    }
  });

  test('that awaits a proof gives the caller nothing before it is there, and then the fence of the delivery', () => {
    const first = feed(waiting({ traits: V4_0 }), delivered(5));
    expect(names(first[1])).toBe('fence-seen set-queue-known requeue');
    const [state, effects] = feed(first[0], delivered(6), { now: later(30) });
    expect(effects).toEqual([
      { do: 'fence-seen', fence: 1_006n },
      { do: 'grant', fence: 1_005n },
      { do: 'proven', sentAt: NOW },
    ]);
    expect(state).toMatchObject({ at: 'held', provenAt: NOW, hold: { returns: 6, fence: 1_005n } });
  });

  test.each<[string, ReturnType<typeof delivered>]>([
    ['a bigger step', delivered(HOLD.returns + 2)],
    ['a smaller count', delivered(HOLD.returns - 1)],
    ['another id', delivered(HOLD.returns + 1, tokenBody({ id: '0190a1b2-0000-7000-8000-0000000000ff' }))],
    ['another base', delivered(HOLD.returns + 1, tokenBody({ base: 999n }))],
    ['something unreadable', delivered(HOLD.returns + 1, Buffer.from('?'))],
  ])(
    'that awaits a proof and is answered with %s tells nobody, and waits on a fresh channel',
    (_what, answer) => {
      const [state, effects] = feed(granting(), answer);
      expect(place(state)).toBe('opening/consuming');
      expect(names(effects)).toMatch(/^(fence-seen )?close consume$/);
      expect(effects.at(-1)).toEqual({ do: 'consume', channelId: LINE + 1 });
    },
  );

  test('that is not proven within leaseMs on either clock is given up for a fresh place in line', () => {
    expect(wakeAt(granting(), RULES)).toBe(NOW.mono + RULES.leaseMs);
    expect(names(feed(granting(), { type: 'wake' }, { now: later(14_999) })[1])).toBe('');
    for (const now of [later(15_000), later(0, 15_000), later(15_000, -1)]) {
      expect(names(feed(granting(), { type: 'wake' }, { now })[1])).toBe('close consume');
      expect(names(feed(granting(), delivered(HOLD.returns + 1), { now })[1])).toBe(
        'fence-seen close consume',
      );
    }
  });

  test('that awaits a proof is void once this process has seen a higher fence: the token is not the live one', () => {
    const proof = delivered(HOLD.returns + 1);
    const [state, effects] = feed(granting(), proof, { highestSeen: HOLD.fence + 1n });
    expect(place(state)).toBe('opening/consuming');
    expect(names(effects)).toBe('fence-seen close consume');
    expect(names(feed(granting(), proof, { highestSeen: HOLD.fence })[1])).toBe('fence-seen grant proven');
  });

  test('from a broker that does not count returns is refused, clearly', () => {
    const [state, effects] = feed(granting(), delivered(HOLD.returns));
    expect(place(state)).toBe('closing');
    expect(refused(effects)).toMatchObject({
      refusal: { why: 'failed', error: { code: 'unsupported-broker' } },
    });
  });

  test('a token of a newer version is given back by closing the channel, with an error that says so', () => {
    const newer = delivered(3, Buffer.from(JSON.stringify({ v: 2 })));
    const [, effects] = feed(waiting(), newer);
    expect(names(effects)).toBe('refuse set-queue-known close');
    expect(refused(effects)).toMatchObject({ refusal: { why: 'failed', error: { code: 'token-version' } } });
  });

  test('a delivery that is granted after a wait of two contenders goes to the fence that the queue gave it', () => {
    const { state, channelId } = inLine();
    const [, effects] = run(state, RULES, [[{ type: 'delivered', channelId, delivery: delivery(9) }, {}]]);
    expect(effects).toContainEqual({ do: 'grant', fence: 1_009n });
  });
});

describe('giving up', () => {
  test.each([
    ['give-up', 'gave-up'],
    ['shutdown', 'shutdown'],
  ] as const)(
    'by %s closes the channel and tells the caller at once, wherever the wait has come to',
    (type, why) => {
      for (const state of [opening('consuming'), waiting(), granting()]) {
        const [next, effects] = feed(state, { type });
        expect(effects[0]).toEqual({ do: 'refuse', refusal: { why } });
        expect(effects).toContainEqual({ do: 'close', channelId: state.channelId });
        expect(place(next)).toBe('closing');
      }
    },
  );

  test('forgets that the queue is known, so that the next attempt looks for a lost token', () => {
    expect(feed(waiting(), { type: 'give-up' })[1]).toContainEqual({ do: 'set-queue-known', known: false });
  });

  test('ends when the broker has closed the channel, and a token that arrives meanwhile goes back with it', () => {
    const [closing] = feed(waiting(), { type: 'give-up' });
    expect(feed(closing, delivered(3))).toEqual([closing, []]);
    const [end, effects] = feed(closing, { type: 'closed', channelId: LINE, scope: 'channel' });
    expect(place(end)).toBe('released');
    expect(effects).toEqual([{ do: 'end' }]);
  });
});
