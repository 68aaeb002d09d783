import { describe, expect, test } from 'vitest';
import { statefulWakeAt } from '../../../../src/protocol/register/step.ts';
import { delivered, later, NOW, newerBody, retryable } from '../contender/fixtures.ts';
import { entry, FENCE, LINE, message, STATEFUL, Steps } from './fixtures.ts';

const save = (ticket: number) => ({ type: 'save', state: ticket, ticket }) as const;
/** A save of this hold, handed back. */
const own = (seq: number, tag: number, letter: 'b' | 'c' = 'b', returns = 0) =>
  entry(letter, { fence: FENCE, seq, tag, returns, state: seq });
const ack = (deliveryTag: number) => ({ do: 'ack', channelId: LINE, deliveryTag });

describe('a save', () => {
  test('writes the hold’s fence with the next number, and is done when the register hands it back', () => {
    const steps = new Steps().toKept();
    expect(steps.feed(save(1))).toEqual([
      { do: 'register-write', channelId: LINE, fence: FENCE, seq: 1, state: 1 },
    ]);
    expect(steps.feed(own(1, 13))).toEqual([{ do: 'saved', ticket: 1 }, ack(12)]);
    steps.feed(save(2));
    expect(steps.feed(own(2, 14, 'c'))).toEqual([{ do: 'saved', ticket: 2 }, ack(13)]);
  });

  test('that lands after a later one is done as well, and is the one that is acked', () => {
    const steps = new Steps().toKept();
    steps.feed(save(1));
    steps.feed(save(2));
    expect(steps.feed(own(2, 13))).toEqual([{ do: 'saved', ticket: 2 }, ack(12)]);
    expect(steps.feed(own(1, 14, 'c'))).toEqual([{ do: 'saved', ticket: 1 }, ack(14)]);
  });

  test('whose publish failed is told so, and is done all the same when it comes back', () => {
    const steps = new Steps().toKept();
    steps.feed(save(1));
    const failed = { type: 'register-not-written', channelId: LINE, seq: 1, error: retryable } as const;
    expect(steps.feed(failed)).toEqual([{ do: 'save-failed', ticket: 1, error: retryable }]);
    expect(steps.does(own(1, 13))).toBe('saved ack');
  });

  test('that somebody else had in hand before proves nothing: the lease is lost', () => {
    const steps = new Steps().toKept();
    steps.feed(save(1));
    expect(steps.feed(own(1, 13, 'b', 2))[0]).toMatchObject({ do: 'lost', reason: 'superseded' });
  });
});

describe('the register of a holder', () => {
  test('is refreshed every 5 min, because the broker’s consumer timeout runs for it too', () => {
    const steps = new Steps().toKept();
    let now = NOW;
    while (now.mono < NOW.mono + 295_000) {
      now = later(now.mono - NOW.mono + 5_000);
      steps.feed({ type: 'wake' }, { now });
      steps.prove({ now });
    }
    now = later(300_000);
    expect(statefulWakeAt(steps.state, STATEFUL)).toBe(now.mono);
    expect(steps.feed({ type: 'wake' }, { now })).toContainEqual({
      do: 'requeue',
      channelId: LINE,
      deliveryTag: 12,
    });
    expect(steps.does(entry('a', { returns: 3, tag: 40 }), { now })).toBe('');
    steps.feed(save(1), { now });
    expect(steps.feed(own(1, 41), { now })).toContainEqual(ack(40));
  });

  test('acks the refreshed entry when it comes back after a save has taken its place', () => {
    const steps = new Steps().toKept();
    const register = steps.state.register;
    if (register?.at !== 'kept') return expect.fail('not kept');
    steps.state = { ...steps.state, register: { ...register, refreshAt: NOW.mono } };
    expect(steps.does({ type: 'wake' })).toBe('requeue');
    steps.feed(save(1));
    expect(steps.does(own(1, 13))).toBe('saved');
    expect(steps.feed(entry('a', { returns: 3, tag: 14 }))).toEqual([ack(14)]);
  });

  test('is written again when its entry has come back more than 100 times, so that the log stays short', () => {
    const steps = new Steps().toReading();
    steps.feed(entry('a', { returns: 99 }));
    steps.feed(entry('a', { returns: 100, tag: 11 }));
    const [write] = steps.feed(entry('a', { returns: 101, tag: 12 }));
    const again = { do: 'register-write', channelId: LINE, fence: FENCE, seq: 1, state: { cursor: 1 } };
    expect(write).toEqual(again);
    expect(steps.feed(own(1, 13))).toEqual([ack(12)]);
  });

  test('acks late writes and seeds, which lie below its own fence, and foreign messages', () => {
    const steps = new Steps().toKept();
    expect(steps.feed(entry('b', { fence: FENCE - 1n, tag: 13 }))).toEqual([ack(13)]);
    expect(steps.feed(entry('c', { fence: 0n, seq: 0, tag: 14, state: undefined }))).toEqual([ack(14)]);
    expect(steps.feed(message(Buffer.from('junk'), 15))).toEqual([ack(15)]);
  });

  test('acks what somebody else wrote above its fence once the token is proven: so nobody was granted in between', () => {
    const steps = new Steps().toKept();
    const foreign = entry('b', { fence: FENCE + 1n, tag: 13 });
    expect(steps.feed(foreign)).toEqual([{ do: 'reject', channelId: LINE, deliveryTag: expect.any(Number) }]);
    expect(steps.proof()).toBe('fence-seen proven ack');
    expect(steps.at).toBe('held/kept');
    // With a question under way its answer says nothing: the entry came after it was asked.
    steps.feed({ type: 'verify' });
    expect(steps.does(entry('c', { fence: FENCE, seq: 9, tag: 14 }))).toBe('');
    expect(steps.proof()).toBe('fence-seen proven reject');
    expect(steps.prove()).toContainEqual(ack(14));
  });

  test('is lost when somebody writes above its fence and the token is not its own any more', () => {
    const steps = new Steps().toKept();
    steps.feed(entry('b', { fence: FENCE + 1n, tag: 13 }));
    const effects = steps.feed(delivered(9, undefined, LINE));
    expect(effects).toContainEqual(expect.objectContaining({ do: 'lost', reason: 'superseded' }));
    expect(effects).not.toContainEqual(ack(13));
  });

  test.each([
    ['its entry comes back unasked', entry('a', { returns: 4, tag: 13 }), 'superseded'],
    [
      'it is handed what somebody had in hand before, and did not see it when it read',
      entry('b', { returns: 1, tag: 13 }),
      'superseded',
    ],
    ['a newer client writes', message(newerBody, 13), 'superseded'],
    [
      'the broker cancels its consumer',
      { type: 'register-cancelled', channelId: LINE } as const,
      'consumer-cancelled',
    ],
  ])('is lost with the lease when %s', (_what, event, reason) => {
    const steps = new Steps().toKept();
    const effects = steps.feed(event);
    expect(effects).toContainEqual(expect.objectContaining({ do: 'lost', reason }));
    expect(effects.at(-1)).toEqual({ do: 'close', channelId: LINE });
    expect(steps.at).toBe('lost/none');
  });

  test('is let go of with the lease, and what comes later is void', () => {
    const steps = new Steps().toKept();
    expect(steps.does({ type: 'release' })).toBe('close');
    expect(steps.does(entry('a', { returns: 4 }))).toBe('');
    expect(steps.does(save(1))).toBe('');
  });
});
