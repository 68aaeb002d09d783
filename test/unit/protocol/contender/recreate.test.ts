import { describe, expect, test } from 'vitest';
import { IDLE, wakeAt } from '../../../../src/protocol/contender/step.ts';
import type { ContenderEvent, ContenderState } from '../../../../src/protocol/contender/types.ts';
import { recreation } from '../../../../src/protocol/queues.ts';
import {
  feed,
  granting,
  LINE,
  later,
  NOW,
  names,
  ON_3,
  ON_4,
  opening,
  permanent,
  place,
  RULES,
  replacing,
  TRY,
  waiting,
} from './fixtures.ts';

const wake: ContenderEvent = { type: 'wake' };
const cancelled: ContenderEvent = { type: 'cancelled', channelId: LINE };
const absent = { type: 'closed', channelId: LINE, scope: 'channel', absent: true } as const;
const looked = (depth: 'absent' | { ready: number; consumers: number }, call = LINE) =>
  ({ type: 'looked', call, depth }) as const;

test('a deleted queue stays away for 100 ms before RabbitMQ 4, where a look comes first, and 50 ms from 4 on', () => {
  expect([3, 4, 5].map(recreation)).toEqual([ON_3, ON_4, ON_4]);
});

describe.each([
  ['3', ON_3],
  ['4', ON_4],
])('a queue that was deleted is not recreated at once on RabbitMQ %s', (_major, on) => {
  const { recreateAfterMs } = on;

  test.each<[string, ContenderState, ContenderEvent, string]>([
    ['after the cancellation of a waiter', waiting(), cancelled, 'set-queue-known close'],
    [
      'after the cancellation of a grant that awaits its proof',
      granting(),
      cancelled,
      'set-queue-known close',
    ],
    ['after a consume that found no queue', opening('consuming'), absent, 'set-queue-known'],
    ['after the cancellation of who starts over', replacing('purging'), cancelled, 'set-queue-known close'],
    ['after a look that found no queue', opening('looking'), looked('absent'), ''],
    ['after the first look', opening('looking', { unchecked: true }), looked('absent'), ''],
  ])('%s', (_when, from, event, before) => {
    const [state, effects] = feed(from, event, on);
    expect(place(state)).toBe('opening/resting');
    expect(names(effects)).toBe(before);
    expect(wakeAt(state, RULES)).toBe(NOW.mono + recreateAfterMs);
    expect(feed(state, wake, { ...on, now: later(recreateAfterMs - 1) })).toEqual([state, []]);
    const [next, then] = feed(state, wake, { ...on, now: later(recreateAfterMs) });
    expect(place(next)).toBe('opening/declaring');
    expect(names(then)).toBe('declare');
  });

  test('and a shutdown does not wait for that pause', () => {
    const [resting] = feed(waiting(), cancelled, on);
    expect(names(feed(resting, { type: 'shutdown' }, on)[1])).toBe('refuse set-queue-known end');
  });

  test('and a caller that gives up does not either', () => {
    const [resting] = feed(waiting(), cancelled, on);
    expect(names(feed(resting, { type: 'give-up' }, on)[1])).toBe('refuse set-queue-known end');
  });
});

describe('a name that is not known', () => {
  test('is declared at once from RabbitMQ 4 on, also after a pause that a failure has caused', () => {
    expect(feed(IDLE, { type: 'start', known: false }, ON_4)[1]).toEqual([{ do: 'declare', call: 1 }]);
    expect(names(feed(opening('resting'), wake, { ...ON_4, now: later(100) })[1])).toBe('declare');
  });

  test('is looked for before it is declared on RabbitMQ 3, since it may just have been deleted', () => {
    const [looking, effects] = feed(IDLE, { type: 'start', known: false }, ON_3);
    expect(effects).toEqual([{ do: 'look', call: 1 }]);
    expect(names(feed(looking, looked({ ready: 1, consumers: 1 }, 1), ON_3)[1])).toBe('declare');
    expect(place(feed(looking, looked('absent', 1), ON_3)[0])).toBe('opening/resting');
  });

  test('is declared also by a try whose look finds it held: a look does not compare the arguments', () => {
    const unchecked = opening('looking', { unchecked: true });
    const [state, effects] = feed(unchecked, looked({ ready: 0, consumers: 1 }), ON_3, TRY);
    expect(place(state)).toBe('opening/declaring');
    expect(names(effects)).toBe('declare');
  });

  test('is looked for again on RabbitMQ 3 after a pause that a failure has caused', () => {
    const [state, effects] = feed(opening('resting'), wake, { ...ON_3, now: later(100) });
    expect(state).toMatchObject({ phase: 'looking', unchecked: true });
    expect(names(effects)).toBe('look');
  });

  test('whose declaration is refused is used if it is there: the arguments stay unchecked', () => {
    const [declaring] = feed(
      opening('looking', { unchecked: true }),
      looked({ ready: 1, consumers: 0 }),
      ON_3,
    );
    const refused: ContenderEvent = { type: 'call-failed', call: LINE + 1, error: permanent };
    const [looking, effects] = feed(declaring, refused, ON_3);
    expect(names(effects)).toBe('look');
    expect(names(feed(looking, looked({ ready: 1, consumers: 0 }, LINE + 2), ON_3)[1])).toBe('consume');
  });
});
