import { describe, expect, test } from 'vitest';
import { AccessRefusedError } from '../../../../src/errors.ts';
import { IDLE, isBehindHolder, wakeAt } from '../../../../src/protocol/contender/step.ts';
import {
  delivered,
  feed,
  granting,
  inLine,
  LINE,
  later,
  NOW,
  names,
  opening,
  permanent,
  place,
  RULES,
  retryable,
  TRY,
  V4_3,
  waiting,
} from './fixtures.ts';

const start = (known: boolean) => ({ type: 'start', known }) as const;
const looked = (ready: number, consumers: number, call = LINE) =>
  ({ type: 'looked', call, depth: { ready, consumers } }) as const;
const refused = (effects: readonly { do: string }[]) => effects.find((effect) => effect.do === 'refuse');

describe('finding the queue', () => {
  test('a known name is consumed at once, without a look', () => {
    expect(feed(IDLE, start(true))).toEqual([
      expect.objectContaining({ phase: 'consuming', channelId: 1 }),
      [{ do: 'consume', channelId: 1 }],
    ]);
  });

  test('a name that is not known is asked after on the service connection before anything is consumed', () => {
    const [state, effects] = feed(IDLE, start(false));
    expect(place(state)).toBe('opening/declaring');
    expect(effects).toEqual([{ do: 'declare', call: 1 }]);
  });

  test('a try looks first even if the name is known', () => {
    expect(names(feed(IDLE, start(true), {}, TRY)[1])).toBe('look');
  });

  test.each([
    ['absent', 'opening/resting: ', 'opening/resting: '],
    [{ ready: 1, consumers: 0 }, 'opening/consuming: consume', 'opening/consuming: consume'],
    [{ ready: 1, consumers: 1 }, 'opening/consuming: consume', 'opening/consuming: consume'],
    [{ ready: 0, consumers: 0 }, 'opening/seeding: seed', 'opening/seeding: seed'],
    [{ ready: 0, consumers: 1 }, 'opening/consuming: consume', 'opening/resting: '],
  ] as const)('a look that shows %j leads a wait to "%s" and a try to "%s"', (depth, wait, attempt) => {
    for (const [rules, expected] of [
      [RULES, wait],
      [TRY, attempt],
    ] as const) {
      const [state, effects] = feed(opening('looking'), { type: 'looked', call: LINE, depth }, {}, rules);
      expect(`${place(state)}: ${names(effects)}`).toBe(expected);
    }
  });

  test.each([
    [0, 0, 'seed'],
    [1, 0, 'consume'],
    [0, 1, 'consume'],
  ])('a declaration that shows %d ready and %d consumers is followed by %s', (ready, consumers, expected) => {
    const [, effects] = feed(opening('declaring'), {
      type: 'declared',
      call: LINE,
      depth: { ready, consumers },
    });
    expect(names(effects)).toBe(expected);
  });

  test('a user without the right to declare can still use a queue that exists', () => {
    const error = new AccessRefusedError('configure');
    const [looking, effects] = feed(opening('declaring'), { type: 'call-failed', call: LINE, error });
    expect(effects).toEqual([{ do: 'look', call: LINE + 1 }]);
    const looked = (depth: 'absent' | { ready: number; consumers: number }) =>
      feed(looking, { type: 'looked', call: LINE + 1, depth });
    expect(names(looked({ ready: 1, consumers: 0 })[1])).toBe('consume');
    const [end, refusal] = looked('absent');
    expect(place(end)).toBe('released');
    expect(refused(refusal)).toEqual({ do: 'refuse', refusal: { why: 'failed', error } });
  });

  test('a failure that can pass is tried again after a pause that grows up to a second', () => {
    const pauses = [0, 1, 2, 3, 4, 9, 5_000].map((failures) => {
      const [state] = feed(opening('looking', { failures }), {
        type: 'call-failed',
        call: LINE,
        error: retryable,
      });
      return (wakeAt(state, RULES) ?? 0) - NOW.mono;
    });
    expect(pauses).toEqual([100, 200, 400, 800, 1_000, 1_000, 1_000]);
  });

  test('when the pause is over the queue is asked after again', () => {
    expect(names(feed(opening('resting'), { type: 'wake' }, { now: later(99) })[1])).toBe('');
    expect(names(feed(opening('resting'), { type: 'wake' }, { now: later(100) })[1])).toBe('declare');
  });

  test('a failure that cannot pass is told to the caller', () => {
    const [state, effects] = feed(opening('seeding'), { type: 'call-failed', call: LINE, error: permanent });
    expect(place(state)).toBe('released');
    expect(refused(effects)).toEqual({ do: 'refuse', refusal: { why: 'failed', error: permanent } });
    expect(effects.at(-1)).toEqual({ do: 'end' });
  });

  test('a queue that vanished before it was consumed is no longer known, and is created after a moment', () => {
    const closed = {
      type: 'closed',
      channelId: LINE,
      scope: 'channel',
      error: retryable,
      absent: true,
    } as const;
    const [state, effects] = feed(opening('consuming'), closed);
    expect(state).toMatchObject({ phase: 'resting', until: later(50).mono, next: 'declare' });
    expect(effects).toEqual([{ do: 'set-queue-known', known: false }]);
    const [declaring, declare] = feed(state, { type: 'wake' }, { now: later(50) });
    expect(declare).toEqual([{ do: 'declare', call: LINE + 2 }]);
    expect(declaring).toMatchObject({ phase: 'declaring', failures: 1 });
  });

  test('a queue that vanishes again and again is not created in a busy loop', () => {
    const closed = {
      type: 'closed',
      channelId: LINE,
      scope: 'channel',
      error: retryable,
      absent: true,
    } as const;
    const pauses = [0, 1, 2, 3, 4, 9].map((failures) => {
      const [state] = feed(opening('consuming', { failures }), closed);
      return (wakeAt(state, RULES) ?? 0) - NOW.mono;
    });
    expect(pauses).toEqual([50, 50, 50, 800, 1_000, 1_000]);
  });
});

describe('a place in line', () => {
  test('is taken on a fresh channel when the connection of the old one dies', () => {
    for (const state of [opening('consuming'), waiting(), granting()]) {
      const closed = { type: 'closed', channelId: LINE, scope: 'connection', error: retryable } as const;
      expect(feed(state, closed)[1]).toEqual([{ do: 'consume', channelId: LINE + 1 }]);
    }
  });

  test('ends with the error when the broker closes the channel for good', () => {
    const closed = { type: 'closed', channelId: LINE, scope: 'channel', error: permanent } as const;
    for (const state of [opening('consuming'), waiting()]) {
      const [next, effects] = feed(state, closed);
      expect(place(next)).toBe('released');
      expect(refused(effects)).toEqual({ do: 'refuse', refusal: { why: 'failed', error: permanent } });
    }
  });

  test('a queue that is in line is known from then on', () => {
    expect(inLine().effects).toEqual([
      { do: 'consume', channelId: 1 },
      { do: 'set-queue-known', known: true },
    ]);
  });

  test('a wait has no end of its own', () => {
    expect(wakeAt(waiting(), RULES)).toBeUndefined();
  });
});

describe('try', () => {
  const resting = feed(opening('looking'), looked(0, 1), {}, TRY)[0];

  test('that sees the lock held rests 25 ms and looks once more: close-ok precedes the return of the token', () => {
    expect(place(resting)).toBe('opening/resting');
    expect(wakeAt(resting, TRY)).toBe(NOW.mono + 25);
    expect(feed(resting, { type: 'wake' }, { now: later(24) }, TRY)).toEqual([resting, []]);
    const [again, effects] = feed(resting, { type: 'wake' }, { now: later(25) }, TRY);
    expect(effects).toEqual([{ do: 'look', call: LINE + 2 }]);
    expect(names(feed(again, looked(1, 0, LINE + 2), {}, TRY)[1])).toBe('consume');
    expect(names(feed(again, looked(1, 1, LINE + 2), {}, TRY)[1])).toBe('consume');
  });

  test('that sees the lock held twice is unavailable, and the queue stays known', () => {
    const [again] = feed(resting, { type: 'wake' }, { now: later(25) }, TRY);
    const [state, effects] = feed(again, looked(0, 1, LINE + 2), { now: later(26) }, TRY);
    expect(place(state)).toBe('released');
    expect(effects).toEqual([{ do: 'refuse', refusal: { why: 'unavailable' } }, { do: 'end' }]);
  });

  test('whose process has just released takes a place in line when it sees the lock held twice: the token may be on its way', () => {
    const [again] = feed(resting, { type: 'wake' }, { now: later(25), justReleased: true }, TRY);
    const [state, effects] = feed(again, looked(0, 1, again.epoch), { justReleased: true }, TRY);
    expect([place(state), names(effects), isBehindHolder(state)]).toEqual([
      'opening/consuming',
      'consume',
      true,
    ]);
  });

  test('knows that somebody has the lock from the first look that shows it, until a look fails', () => {
    expect(isBehindHolder(opening('looking'))).toBe(false);
    expect(isBehindHolder(resting)).toBe(true);
    const [again] = feed(resting, { type: 'wake' }, { now: later(25) }, TRY);
    expect(isBehindHolder(again)).toBe(true);
    const failed = { type: 'call-failed', call: again.epoch, error: retryable } as const;
    expect(isBehindHolder(feed(again, failed, {}, TRY)[0])).toBe(false);
  });

  test('a wait that has seen a holder knows it while it consumes, and no longer once its connection is lost', () => {
    const [consuming, effects] = feed(opening('looking'), looked(0, 1));
    expect([names(effects), isBehindHolder(consuming)]).toEqual(['consume', true]);
    const closed = { type: 'closed', channelId: LINE + 1, scope: 'connection', error: retryable } as const;
    expect(isBehindHolder(feed(consuming, closed)[0])).toBe(false);
    expect(isBehindHolder(feed(opening('looking'), looked(1, 0))[0])).toBe(false);
  });

  test('that has met failures before rests and looks once more all the same', () => {
    const [rested] = feed(opening('looking', { failures: 2 }), looked(0, 1), {}, TRY);
    expect(rested).toMatchObject({ phase: 'resting', next: 'look', seenHeldAt: NOW.mono, failures: 2 });
    expect(wakeAt(rested, TRY)).toBe(NOW.mono + 25);
  });

  test('that sees nobody and nothing when it looks again seeds, and one whose queue is gone makes it after 50 ms', () => {
    const [again] = feed(resting, { type: 'wake' }, { now: later(25) }, TRY);
    expect(names(feed(again, looked(0, 0, LINE + 2), {}, TRY)[1])).toBe('seed');
    const absent = { type: 'looked', call: LINE + 2, depth: 'absent' } as const;
    const [gone, effects] = feed(again, absent, { now: later(26) }, TRY);
    expect([place(gone), names(effects)]).toEqual(['opening/resting', '']);
    expect(wakeAt(gone, TRY)).toBe(later(76).mono);
    expect(names(feed(gone, { type: 'wake' }, { now: later(76) }, TRY)[1])).toBe('declare');
  });

  test('rests also after a declaration that shows the lock held', () => {
    const declared = { type: 'declared', call: LINE, depth: { ready: 0, consumers: 1 } } as const;
    expect(place(feed(opening('declaring'), declared, {}, TRY)[0])).toBe('opening/resting');
  });

  test('can be given up and shut down while it rests', () => {
    expect(names(feed(resting, { type: 'give-up' }, {}, TRY)[1])).toBe('refuse set-queue-known end');
    expect(names(feed(resting, { type: 'shutdown' }, {}, TRY)[1])).toBe('refuse set-queue-known end');
  });

  test('sends a barrier behind the consume and gives up 50 ms after its answer', () => {
    const [state, effects] = feed(
      opening('consuming'),
      { type: 'consuming', channelId: LINE, traits: V4_3 },
      {},
      TRY,
    );
    expect(effects).toEqual([
      { do: 'set-queue-known', known: true },
      { do: 'barrier', channelId: LINE },
    ]);
    const [answered] = feed(state, { type: 'barrier', channelId: LINE }, {}, TRY);
    expect(wakeAt(answered, TRY)).toBe(NOW.mono + 50);
    expect(feed(answered, { type: 'wake' }, { now: later(49) }, TRY)[1]).toEqual([]);
    const [end, leaving] = feed(answered, { type: 'wake' }, { now: later(50) }, TRY);
    expect(place(end)).toBe('closing');
    expect(leaving).toEqual([
      { do: 'refuse', refusal: { why: 'unavailable' } },
      { do: 'close', channelId: LINE },
    ]);
  });

  test('takes a token that comes within those 50 ms', () => {
    const state = waiting({ until: NOW.mono + 50 });
    expect(names(feed(state, delivered(3), { now: later(49) }, TRY)[1])).toBe(
      'fence-seen set-queue-known grant',
    );
  });

  test('sends no second request on the channel: a wait sends no barrier at all', () => {
    const [, effects] = feed(opening('consuming'), { type: 'consuming', channelId: LINE, traits: V4_3 });
    expect(names(effects)).toBe('set-queue-known');
  });
});
