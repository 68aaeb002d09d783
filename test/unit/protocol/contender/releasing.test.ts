import { describe, expect, test } from 'vitest';
import type { At, ContenderState } from '../../../../src/protocol/contender/types.ts';
import {
  closing,
  delivered,
  feed,
  HOLD,
  held,
  LINE,
  later,
  lookingBehindStray,
  names,
  permanent,
  place,
  RULES,
  retryable,
  run,
  V4_0,
  V4_3,
  verifying,
  waiting,
} from './fixtures.ts';

const release = { type: 'release' } as const;
const longHold = (returns: number) => ({ ...HOLD, returns });

describe('releasing', () => {
  test('is closing the channel and nothing else: no ack, no cancel, no publish', () => {
    for (const state of [held(), verifying(), verifying({ cancelledUntil: 1e9 })]) {
      const [next, effects] = feed(state, release);
      expect(place(next)).toBe('closing/channel');
      expect(effects).toEqual([{ do: 'close', line: LINE }]);
    }
  });

  test('is done when the broker has closed the channel, or its connection died', () => {
    for (const scope of ['channel', 'connection'] as const) {
      const [state, effects] = feed(closing('channel'), { type: 'closed', line: LINE, scope });
      expect(place(state)).toBe('released');
      expect(effects).toEqual([{ do: 'end' }]);
    }
  });

  test('twice is releasing once, and a release after a loss does nothing at the broker', () => {
    expect(feed(closing('channel'), release)).toEqual([closing('channel'), []]);
    const lost: ContenderState = { at: 'lost', turn: 9, reason: 'superseded' };
    expect(feed(lost, release)).toEqual([lost, []]);
  });

  test('while an answer is awaited leaves that answer without effect', () => {
    const [state] = feed(verifying(), release);
    expect(feed(state, delivered(HOLD.returns + 1))).toEqual([state, []]);
    expect(feed(state, delivered(HOLD.returns + 7))).toEqual([state, []]);
  });

  test('is not ended by the failure of a call that nobody waits for any more', () => {
    const failed = { type: 'call-failed', call: LINE + 1, error: retryable } as const;
    const [left] = feed(lookingBehindStray(), { type: 'shutdown' });
    const [removalGivenUp] = feed(closing('removing'), { type: 'shutdown' });
    for (const state of [left, removalGivenUp]) {
      expect(place(state)).toBe('closing/channel');
      expect(feed(state, failed)).toEqual([state, []]);
    }
  });

  test('is not for somebody who has no lease yet', () => {
    expect(feed(waiting(), release)).toEqual([waiting(), []]);
  });
});

describe('a long log', () => {
  const releasing = (
    returns: number,
    version: readonly [number, number, number],
    state: 'held' | 'verifying',
  ) => {
    const changes: Pick<At<'held'>, 'hold' | 'traits'> = { hold: longHold(returns), traits: { version } };
    return names(feed(state === 'held' ? held(changes) : verifying(changes), release)[1]);
  };

  test.each(['held', 'verifying'] as const)(
    'is ended below 4.3 by a %s release after more than 100,000 returns',
    (state) => {
      expect(releasing(100_000, V4_0.version, state)).toBe('close');
      expect(releasing(100_001, V4_0.version, state)).toBe('know remove');
      expect(releasing(100_001, [3, 10, 8], state)).toBe('know remove');
      expect(releasing(100_001, [4, 2, 0], state)).toBe('know remove');
    },
  );

  test('from 4.3 on the broker truncates it by itself, and the release stays a close', () => {
    expect(releasing(5_000_000, V4_3.version, 'held')).toBe('close');
    expect(releasing(5_000_000, [5, 0, 0], 'held')).toBe('close');
  });

  test('is ended by removing, declaring and seeding the queue; the token is kept until the queue is gone', () => {
    const [state, effects] = run(held({ hold: longHold(100_001), traits: V4_0 }), RULES, [
      [release, {}],
      [{ type: 'removed', call: LINE + 1 }, {}],
      [{ type: 'wake' }, { now: later(50) }],
      [{ type: 'declared', call: LINE + 2, depth: { ready: 0, consumers: 0 } }, {}],
      [{ type: 'seeded', call: LINE + 3 }, {}],
    ]);
    expect(place(state)).toBe('released');
    expect(effects).toEqual([
      { do: 'know', known: false },
      { do: 'remove', call: LINE + 1 },
      { do: 'close', line: LINE },
      { do: 'declare', call: LINE + 2 },
      { do: 'seed', call: LINE + 3 },
      { do: 'end' },
    ]);
  });

  test.each([
    { ready: 1, consumers: 0 },
    { ready: 0, consumers: 1 },
  ])('is not seeded twice: a queue with %j has been made anew by somebody else', (depth) => {
    const declared = { type: 'declared', call: LINE + 1, depth } as const;
    expect(names(feed(closing('declaring'), declared)[1])).toBe('end');
  });

  test('without the right to delete is released in the ordinary way', () => {
    const failed = { type: 'call-failed', call: LINE + 1, error: permanent } as const;
    const [state, effects] = feed(closing('removing'), failed);
    expect(place(state)).toBe('closing/channel');
    expect(effects).toEqual([{ do: 'close', line: LINE }]);
    expect(names(feed(state, { type: 'closed', line: LINE, scope: 'channel' })[1])).toBe('end');
  });

  test('whose channel dies before the queue is gone is released by that', () => {
    const closed = { type: 'closed', line: LINE, scope: 'connection', error: retryable } as const;
    expect(feed(closing('removing'), closed)).toEqual([{ at: 'released', turn: LINE + 1 }, [{ do: 'end' }]]);
  });

  test('that cannot be made anew is left to whoever comes next', () => {
    for (const phase of ['declaring', 'seeding'] as const) {
      const failed = { type: 'call-failed', call: LINE + 1, error: retryable } as const;
      expect(names(feed(closing(phase), failed)[1])).toBe('end');
    }
  });

  test('is not waited for by a shutdown: the ordinary release has to do', () => {
    expect(feed(closing('removing'), { type: 'shutdown' })[1]).toEqual([{ do: 'close', line: LINE }]);
  });

  test.each(['declaring', 'seeding'] as const)(
    'whose queue is removed already (%s) ends at once in a shutdown, whatever has become of its channel',
    (phase) => {
      const [open, atOnce] = feed(closing(phase), { type: 'shutdown' });
      expect(place(open)).toBe('released');
      expect(atOnce).toEqual([{ do: 'end' }]);
      const [gone] = feed(closing(phase), { type: 'closed', line: LINE, scope: 'channel' });
      const [end, effects] = feed(gone, { type: 'shutdown' });
      expect(effects).toEqual([{ do: 'end' }]);
      expect(feed(end, { type: 'seeded', call: LINE + 1 })).toEqual([end, []]);
    },
  );
});
