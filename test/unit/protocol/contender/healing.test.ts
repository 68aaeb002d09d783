import { describe, expect, test } from 'vitest';
import type { ContenderEvent } from '../../../../src/protocol/contender/types.ts';
import {
  delivered,
  feed,
  LINE,
  later,
  NOW,
  names,
  opening,
  place,
  RULES,
  run,
  TOKEN,
  tokenBody,
  waiting,
} from './fixtures.ts';

describe('starting over', () => {
  const startsOver = (event: ContenderEvent, highestSeen = 0n) => {
    const [state, effects] = feed(waiting(), event, { highestSeen });
    return `${place(state)}: ${names(effects)}`;
  };

  test('is the remedy for a token nobody ever had that is more than a minute old', () => {
    const seed = (ageMs: number) => delivered(0, tokenBody({ at: NOW.wall - ageMs }));
    expect(startsOver(seed(60_000))).toBe('held: fence-seen set-queue-known grant');
    expect(startsOver(seed(60_001))).toBe('replacing/purging: fence-seen purge');
    expect(startsOver(seed(-3_600_000))).toBe('held: fence-seen set-queue-known grant');
  });

  test('is not for an old token that has been held: its count shows that it is the live one', () => {
    expect(startsOver(delivered(1, tokenBody({ at: 0 })))).toBe('held: fence-seen set-queue-known grant');
  });

  test('is the remedy for a token whose fence is not above the highest that this process has seen', () => {
    expect(startsOver(delivered(5), 1_004n)).toBe('held: fence-seen set-queue-known grant');
    expect(startsOver(delivered(5), 1_005n)).toBe('replacing/purging: fence-seen purge');
    expect(startsOver(delivered(5), 9_999n)).toBe('replacing/purging: fence-seen purge');
  });

  test('does not seed a second time what somebody else has seeded meanwhile', () => {
    const declared = { type: 'declared', call: LINE, depth: { ready: 1, consumers: 0 } } as const;
    expect(names(feed(opening('declaring'), declared)[1])).toBe('consume');
  });
});

describe('a cancelled consumer', () => {
  test('is never used again: a waiter closes the channel, asks for the queue and waits on a fresh one', () => {
    const [state, effects] = run(waiting(), RULES, [
      [{ type: 'cancelled', channelId: LINE }, {}],
      [{ type: 'wake' }, { now: later(50) }],
      [{ type: 'declared', call: LINE + 2, depth: { ready: 1, consumers: 0 } }, {}],
    ]);
    expect(effects).toEqual([
      { do: 'set-queue-known', known: false },
      { do: 'close', channelId: LINE },
      { do: 'declare', call: LINE + 2 },
      { do: 'consume', channelId: LINE + 3 },
    ]);
    expect(feed(state, delivered(3))[1]).toEqual([]);
  });

  test('of a process that has not seen the token since tells it nothing about the fence', () => {
    const [, effects] = feed(waiting(), { type: 'cancelled', channelId: LINE }, { highestSeen: TOKEN.base });
    expect(names(effects)).not.toContain('fence-seen');
  });
});
