import { describe, expect, test } from 'vitest';
import type { At, ContenderState } from '../../../../src/protocol/contender/types.ts';
import {
  closing,
  delivered,
  feed,
  HOLD,
  held,
  inspectingForeign,
  LINE,
  names,
  place,
  retryable,
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
      expect(place(next)).toBe('closing');
      expect(effects).toEqual([{ do: 'close', channelId: LINE }]);
    }
  });

  test('is done when the broker has closed the channel, or its connection died', () => {
    for (const scope of ['channel', 'connection'] as const) {
      const [state, effects] = feed(closing(), { type: 'closed', channelId: LINE, scope });
      expect(place(state)).toBe('released');
      expect(effects).toEqual([{ do: 'end' }]);
    }
  });

  test('twice is releasing once, and a release after a loss does nothing at the broker', () => {
    expect(feed(closing(), release)).toEqual([closing(), []]);
    const lost: ContenderState = { at: 'lost', epoch: 9, reason: 'superseded' };
    expect(feed(lost, release)).toEqual([lost, []]);
  });

  test('while an answer is awaited leaves that answer without effect', () => {
    const [state] = feed(verifying(), release);
    expect(feed(state, delivered(HOLD.returns + 1))).toEqual([state, []]);
    expect(feed(state, delivered(HOLD.returns + 7))).toEqual([state, []]);
  });

  test('is not ended by the failure of a call that nobody waits for any more', () => {
    const failed = { type: 'call-failed', call: LINE + 1, error: retryable } as const;
    const [left] = feed(inspectingForeign(), { type: 'shutdown' });
    for (const state of [left]) {
      expect(place(state)).toBe('closing');
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

  test('is ended below 4.3 by a release after more than 100,000 returns', () => {
    expect(releasing(100_000, V4_0.version, 'held')).toBe('close');
    expect(releasing(100_001, V4_0.version, 'held')).toBe('purge');
    expect(releasing(100_001, [3, 13, 7], 'held')).toBe('probe');
    expect(releasing(100_001, [4, 2, 0], 'held')).toBe('purge');
  });

  test('is left to the next release while a question is under way: the token cannot be acked then', () => {
    expect(releasing(100_001, V4_0.version, 'verifying')).toBe('close');
  });

  test('from 4.3 on the broker truncates it by itself, and the release stays a close', () => {
    expect(releasing(5_000_000, V4_3.version, 'held')).toBe('close');
    expect(releasing(5_000_000, [5, 0, 0], 'held')).toBe('close');
  });
});
