import { describe, expect, test } from 'vitest';
import { BASE_MAX } from '../../../../src/protocol/fence.ts';
import { statefulWakeAt } from '../../../../src/protocol/register/step.ts';
import { delivered, later, NOW, newerBody, permanent, RULES, retryable } from '../contender/fixtures.ts';
import { entry, FENCE, LINE, message, STATEFUL, Steps } from './fixtures.ts';

const SEED = { do: 'register-write', channelId: LINE, fence: 0n, seq: 0, state: undefined };

describe('a lock with state', () => {
  test('is not granted with its token: the register is asked for, and the token verified meanwhile', () => {
    const steps = new Steps().toToken();
    expect(steps.at).toBe('verifying/declaring');
    expect(steps.does(delivered(3, undefined, LINE))).toBe('fence-seen proven');
    expect(steps.does({ type: 'wake' }, { now: later(5_000) })).toBe('reject');
  });

  test('is granted with the highest entry, once the first one has come back twice and the token was proven after that', () => {
    const steps = new Steps().toReading();
    expect(steps.feed(entry('a', { returns: 1, tag: 11 }))).toEqual([
      { do: 'requeue', channelId: LINE, deliveryTag: 11 },
    ]);
    expect(steps.feed(entry('b', { returns: 1, tag: 12, seq: 2, state: 7 }))).toEqual([]);
    expect(steps.does(entry('a', { returns: 2, tag: 13 }))).toBe('requeue');
    expect(steps.feed(entry('a', { returns: 3, tag: 14 }))).toEqual([
      { do: 'ack', channelId: LINE, deliveryTag: 14 },
      { do: 'reject', channelId: LINE, deliveryTag: 2 },
    ]);
    expect(steps.prove().at(-1)).toEqual({ do: 'grant', fence: FENCE, handed: { state: 7, minted: false } });
    expect(steps.at).toBe('held/kept');
  });

  test('asks again when the entry comes back with a bigger step: somebody had the register in between', () => {
    const steps = new Steps().toReading();
    steps.feed(entry('a', { returns: 1 }));
    expect(steps.does(entry('a', { returns: 4, tag: 12 }))).toBe('requeue');
    expect(steps.does(entry('a', { returns: 5, tag: 13 }))).toBe('requeue');
    steps.feed(entry('a', { returns: 6, tag: 14 }));
    expect(steps.proof()).toBe('fence-seen proven grant');
  });

  test('does not take the return of a link that dropped for the answer: what lay behind the entry comes later', () => {
    const steps = new Steps().toReading();
    expect(steps.does(entry('a', { returns: 0, fence: 0n, seq: 0, state: undefined }))).toBe('requeue');
    // The delivery of another entry was lost with the link, and everything is handed out again in its old order.
    steps.feed(entry('a', { returns: 1, tag: 12, fence: 0n, seq: 0, state: undefined }));
    expect(steps.at).toBe('held/reading');
    steps.feed(entry('b', { returns: 2, tag: 13, state: 'saved' }));
    steps.feed(entry('a', { returns: 2, tag: 14, fence: 0n, seq: 0, state: undefined }));
    expect(steps.prove().at(-1)).toMatchObject({ do: 'grant', handed: { state: 'saved' } });
  });

  test('prefers what somebody had in hand over a higher entry that nobody ever had', () => {
    const steps = new Steps().toReading();
    steps.feed(entry('a', { returns: 1, tag: 11, state: 'held' }));
    steps.feed(entry('b', { returns: 0, tag: 12, fence: 1_001n, state: 'late' }));
    steps.feed(entry('a', { returns: 2, tag: 13, state: 'held' }));
    const [ack] = steps.feed(entry('a', { returns: 3, tag: 14, state: 'held' }));
    expect(ack).toEqual({ do: 'ack', channelId: LINE, deliveryTag: 12 });
    expect(steps.prove().at(-1)).toMatchObject({ do: 'grant', handed: { state: 'held' } });
  });

  test('takes what nobody had in hand when there is nothing else', () => {
    const steps = new Steps().toReading();
    steps.feed(entry('a', { returns: 0, state: 5 }));
    steps.feed(entry('a', { returns: 1, state: 5 }));
    steps.feed(entry('a', { returns: 2, state: 5 }));
    expect(steps.prove().at(-1)).toMatchObject({ do: 'grant', handed: { state: 5, minted: false } });
  });

  test('never acks an entry that is handed to it again: its older delivery is void', () => {
    const steps = new Steps().toReading();
    steps.feed(entry('a', { returns: 1, tag: 11 }));
    steps.feed(entry('b', { returns: 1, tag: 12, seq: 2 }));
    expect(steps.does(entry('b', { returns: 3, tag: 13, seq: 2 }))).toBe('');
    expect(steps.does(entry('a', { returns: 4, tag: 14 }))).toBe('requeue');
    steps.feed(entry('a', { returns: 5, tag: 15 }));
    const [ack] = steps.feed(entry('a', { returns: 6, tag: 16 }));
    expect(ack).toEqual({ do: 'ack', channelId: LINE, deliveryTag: 16 });
  });

  test('gives back another entry when the first stays away for 5 s: it was outdated by somebody else', () => {
    const steps = new Steps().toReading();
    steps.feed(entry('a', { returns: 1, tag: 11 }));
    steps.feed(entry('b', { returns: 3, tag: 12, seq: 2 }));
    expect(statefulWakeAt(steps.state, STATEFUL)).toBe(NOW.mono + 5_000);
    const effects = steps.feed({ type: 'wake' }, { now: later(5_000) });
    expect(effects).toContainEqual({ do: 'requeue', channelId: LINE, deliveryTag: 12 });
    steps.feed(entry('b', { returns: 4, tag: 13, seq: 2 }), { now: later(5_001) });
    steps.feed(entry('b', { returns: 5, tag: 14, seq: 2 }), { now: later(5_001) });
    expect(steps.proof({ now: later(5_002) })).toBe('fence-seen proven reject'); // to a question from before
    expect(steps.proof({ now: later(5_003) })).toBe('fence-seen proven grant');
  });
});

describe('an empty register', () => {
  test('is seeded at once when it has just been made, and the seed is read like any entry', () => {
    const steps = new Steps().toToken();
    expect(steps.feed({ type: 'register-declared', channelId: LINE, empty: true })).toEqual([
      SEED,
      { do: 'register-consume', channelId: LINE },
    ]);
    const seed = { fence: 0n, seq: 0, state: undefined };
    expect(steps.does(entry('a', seed))).toBe('requeue');
    expect(steps.does(entry('a', { ...seed, returns: 1 }))).toBe('requeue');
    steps.feed(entry('a', { ...seed, returns: 2 }));
    expect(steps.proof()).toBe('fence-seen proven reject');
    expect(steps.prove().at(-1)).toEqual({
      do: 'grant',
      fence: FENCE,
      handed: { state: undefined, minted: true },
    });
  });

  test('is seeded when it has shown nothing for 250 ms, and again every 5 s: a stale holder swallows seeds', () => {
    const steps = new Steps().toReading();
    expect(statefulWakeAt(steps.state, STATEFUL)).toBe(NOW.mono + 250);
    expect(steps.feed({ type: 'wake' }, { now: later(249) })).toEqual([]);
    expect(steps.feed({ type: 'wake' }, { now: later(250) })).toEqual([SEED]);
    expect(steps.feed({ type: 'wake' }, { now: later(5_250) })).toContainEqual(SEED);
  });

  test('that this user may not seed ends the wait, but only if nothing comes from anybody else', () => {
    const failed = { type: 'register-not-written', channelId: LINE, seq: 0, error: permanent } as const;
    const steps = new Steps().toReading(true);
    expect(steps.feed(failed)).toEqual([]);
    expect(steps.does(entry('a', { returns: 1 }))).toBe('requeue');
    const alone = new Steps().toReading(true);
    alone.feed(failed);
    expect(alone.does({ type: 'wake' }, { now: later(5_000) })).toContain('refuse close');
  });
});

describe('a hold that was told to nobody', () => {
  test.each([
    ['the token was superseded', delivered(9, undefined, LINE), 'fence-seen close consume'],
    [
      'its queue is gone',
      { type: 'register-cancelled', channelId: LINE } as const,
      'register-forget close set-queue-known',
    ],
    [
      'the connection died',
      { type: 'closed', channelId: LINE, scope: 'connection', error: retryable } as const,
      'consume',
    ],
  ])('takes a fresh place in line when %s', (_why, event, effects) => {
    const steps = new Steps().toReading();
    expect(steps.does(event)).toBe(effects);
    expect(steps.at).toBe('opening/none');
  });

  test('takes a fresh place in line when its lease ends while it reads', () => {
    const steps = new Steps().toReading();
    expect(steps.does(entry('a', { returns: 1 }), { now: later(15_000) })).toBe('close consume');
    expect(steps.at).toBe('opening/none');
  });

  test('asks for the register again after a channel that ended for want of it', () => {
    const steps = new Steps().toReading();
    const event = {
      type: 'closed',
      channelId: LINE,
      scope: 'channel',
      error: retryable,
      absent: true,
    } as const;
    expect(steps.does(event)).toBe('register-forget set-queue-known');
    expect(steps.at).toBe('opening/none');
  });

  test.each(['give-up', 'shutdown'] as const)('is released on %s, and the caller is told', (type) => {
    const steps = new Steps().toReading();
    expect(steps.does({ type })).toBe('refuse close');
    expect(steps.does({ type: 'closed', channelId: LINE, scope: 'channel' })).toBe('end');
    expect(steps.at).toBe('released/none');
  });

  test('is refused for what no waiting can mend: rights, arguments, a newer client’s state', () => {
    const declare = new Steps().toToken();
    const error = { ...permanent, code: 'queue-mismatch', retryable: false } as typeof permanent;
    expect(declare.does({ type: 'register-not-declared', channelId: LINE, error })).toBe('refuse close');
    const newer = new Steps().toReading();
    const [refuse] = newer.feed(message(newerBody));
    expect(refuse).toMatchObject({
      do: 'refuse',
      refusal: { why: 'failed', error: { code: 'token-version' } },
    });
    const unread = new Steps().toReading();
    const refused = { type: 'closed', channelId: LINE, scope: 'channel', error: permanent } as const;
    expect(unread.does(refused)).toBe('register-forget refuse set-queue-known end');
  });

  test('uses a register that it may not declare, and says why when there is none', () => {
    const steps = new Steps().toToken();
    expect(steps.does({ type: 'register-not-declared', channelId: LINE, error: permanent })).toBe(
      'register-consume',
    );
    const absent = {
      type: 'closed',
      channelId: LINE,
      scope: 'channel',
      error: retryable,
      absent: true,
    } as const;
    expect(steps.feed(absent)[1]).toEqual({ do: 'refuse', refusal: { why: 'failed', error: permanent } });
  });

  test('asks again 500 ms after a declaration that failed for now', () => {
    const steps = new Steps().toToken();
    steps.feed({ type: 'register-not-declared', channelId: LINE, error: retryable });
    expect(statefulWakeAt(steps.state, STATEFUL)).toBe(NOW.mono + 500);
    expect(steps.does({ type: 'wake' }, { now: later(500) })).toBe('register-declare');
  });
});

test('a register with a fence that is not below the hold’s makes it prove the token, and then start over', () => {
  const steps = new Steps().toReading();
  const ahead = { fence: FENCE + 5n };
  steps.feed(entry('a', { ...ahead, returns: 1 }));
  steps.feed(entry('a', { ...ahead, returns: 2 }));
  expect(steps.feed(entry('a', { ...ahead, returns: 3 }))).toEqual([
    { do: 'fence-seen', fence: FENCE + 5n },
    { do: 'reject', channelId: LINE, deliveryTag: 2 },
  ]);
  expect(steps.proof()).toBe('fence-seen proven purge');
  expect(steps.at).toBe('replacing/none');
});

test('a token that is not proven after the reading grants nothing: somebody else may have had both in between', () => {
  const steps = new Steps().toReading();
  for (const returns of [1, 2, 3]) steps.feed(entry('a', { returns, tag: 10 + returns }));
  expect(steps.does(entry('a', { returns: 5, tag: 14 }))).toBe('close consume'); // unasked
  const other = new Steps().toReading();
  for (const returns of [1, 2, 3]) other.feed(entry('a', { returns, tag: 10 + returns }));
  expect(other.does(delivered(9, undefined, LINE))).toBe('fence-seen close consume');
});

test('a lock without state is granted with its token, and events of a register are void', () => {
  const steps = new Steps(RULES).toToken();
  expect(steps.at).toBe('verifying/none');
  const before = steps.state;
  expect(steps.feed(entry('a'))).toEqual([]);
  expect(steps.state).toBe(before);
});

test('an entry above which no fence is left is told with the name of the register, before anything is destroyed or remembered', () => {
  const steps = new Steps().toReading();
  const last = { fence: BASE_MAX };
  steps.feed(entry('a', { ...last, returns: 1 }));
  steps.feed(entry('a', { ...last, returns: 2 }));
  const effects = steps.feed(entry('a', { ...last, returns: 3 }));
  expect(effects.map((effect) => effect.do)).toEqual(['refuse', 'close']);
  expect(effects[0]).toMatchObject({
    refusal: {
      error: {
        code: 'queue-mismatch',
        message: expect.stringMatching(/the register of lock "jobs".*fence \d{19}/),
      },
    },
  });
});
