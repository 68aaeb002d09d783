import { describe, expect, test } from 'vitest';
import { IDLE, wakeAt } from '../../../../src/protocol/contender/step.ts';
import type { ContenderEvent, ContenderState } from '../../../../src/protocol/contender/types.ts';
import { recreateAfterMs } from '../../../../src/protocol/topology.ts';
import {
  closing,
  feed,
  granting,
  LINE,
  later,
  NOW,
  names,
  opening,
  permanent,
  place,
  RULES,
  TRY,
  waiting,
} from './fixtures.ts';

/** What is different on a broker that does not tell a consumer at once when its queue is deleted. */
const OLD = { recreateAfterMs: 250 };
const wake: ContenderEvent = { type: 'wake' };
const looked = (depth: 'absent' | { ready: number; consumers: number }, call = LINE) =>
  ({ type: 'looked', call, depth }) as const;

describe('a queue that was deleted is not made again before 250 ms on RabbitMQ 3', () => {
  test('and at once from RabbitMQ 4 on', () => {
    expect([3, 4, 5].map(recreateAfterMs)).toEqual([250, 0, 0]);
  });

  const cancelled: ContenderEvent = { type: 'cancelled', line: LINE };
  const absent = { type: 'closed', line: LINE, scope: 'channel', absent: true } as const;
  const removed: ContenderEvent = { type: 'removed', call: LINE };
  test.each<[string, ContenderState, ContenderEvent, string]>([
    ['after the cancellation of a waiter', waiting(), cancelled, 'know close'],
    ['after the cancellation of a grant that awaits its proof', granting(), cancelled, 'know close'],
    ['after a consume that found no queue', opening('consuming'), absent, 'know'],
    ['after its own removal', opening('removing', { line: 3 }), removed, 'close'],
    ['after a look that found no queue', opening('looking'), looked('absent'), ''],
  ])('%s', (_when, from, event, before) => {
    const [state, effects] = feed(from, event, OLD);
    expect(place(state)).toBe('opening/resting');
    expect(names(effects)).toBe(before);
    expect(wakeAt(state, RULES)).toBe(NOW.mono + 250);
    expect(feed(state, wake, { ...OLD, now: later(249) })).toEqual([state, []]);
    const [next, then] = feed(state, wake, { ...OLD, now: later(250) });
    expect(place(next)).toBe('opening/declaring');
    expect(names(then)).toBe('declare');
    expect(names(feed(from, event)[1])).toBe(`${before} declare`.trim());
  });

  test('when a long log is ended: the channel is closed at once, the queue is made later', () => {
    const done: ContenderEvent = { type: 'removed', call: LINE + 1 };
    const [state, effects] = feed(closing('removing'), done, OLD);
    expect(place(state)).toBe('closing/pausing');
    expect(effects).toEqual([{ do: 'close', line: LINE }]);
    expect(wakeAt(state, RULES)).toBe(NOW.mono + 250);
    const [closed] = feed(state, { type: 'closed', line: LINE, scope: 'channel' }, OLD);
    expect(names(feed(closed, wake, { ...OLD, now: later(249) })[1])).toBe('');
    const [next, then] = feed(closed, wake, { ...OLD, now: later(250) });
    expect(then).toEqual([{ do: 'declare', call: LINE + 2 }]);
    expect(wakeAt(next, RULES)).toBeUndefined();
  });

  test('and a shutdown does not wait for that pause', () => {
    expect(feed(closing('pausing'), { type: 'shutdown' }, OLD)[1]).toEqual([{ do: 'end' }]);
    const [resting] = feed(waiting(), cancelled, OLD);
    expect(names(feed(resting, { type: 'shutdown' }, OLD)[1])).toBe('refuse know end');
  });
});

describe('a name that is not known on RabbitMQ 3', () => {
  test('is looked for before it is declared, since it may just have been deleted', () => {
    const [looking, effects] = feed(IDLE, { type: 'start', known: false }, OLD);
    expect(effects).toEqual([{ do: 'look', call: 1 }]);
    expect(names(feed(looking, looked({ ready: 1, consumers: 1 }, 1), OLD)[1])).toBe('declare');
    expect(place(feed(looking, looked('absent', 1), OLD)[0])).toBe('opening/resting');
  });

  test('is declared also by a try whose look finds it held: a look does not compare the arguments', () => {
    const unchecked = opening('looking', { unchecked: true });
    const [state, effects] = feed(unchecked, looked({ ready: 0, consumers: 1 }), OLD, TRY);
    expect(place(state)).toBe('opening/declaring');
    expect(names(effects)).toBe('declare');
  });

  test('is looked for again after a pause that a failure has caused', () => {
    const [state, effects] = feed(opening('resting'), wake, { ...OLD, now: later(100) });
    expect(state).toMatchObject({ phase: 'looking', unchecked: true });
    expect(names(effects)).toBe('look');
  });

  test('whose declaration is refused is used if it is there: the arguments stay unchecked', () => {
    const [declaring] = feed(
      opening('looking', { unchecked: true }),
      looked({ ready: 1, consumers: 0 }),
      OLD,
    );
    const refused: ContenderEvent = { type: 'call-failed', call: LINE + 1, error: permanent };
    const [looking, effects] = feed(declaring, refused, OLD);
    expect(names(effects)).toBe('look');
    expect(names(feed(looking, looked({ ready: 1, consumers: 0 }, LINE + 2), OLD)[1])).toBe('consume');
  });
});
