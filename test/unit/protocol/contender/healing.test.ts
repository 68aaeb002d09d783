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
    expect(startsOver(seed(60_000))).toBe('held: saw know grant');
    expect(startsOver(seed(60_001))).toBe('renewing/purging: saw purge');
    expect(startsOver(seed(-3_600_000))).toBe('held: saw know grant');
  });

  test('is not for an old token that has been held: its count shows that it is the live one', () => {
    expect(startsOver(delivered(1, tokenBody({ at: 0 })))).toBe('held: saw know grant');
  });

  test('is the remedy for a token whose fence is not above the highest that this process has seen', () => {
    expect(startsOver(delivered(5), 1_004n)).toBe('held: saw know grant');
    expect(startsOver(delivered(5), 1_005n)).toBe('renewing/purging: saw purge');
    expect(startsOver(delivered(5), 9_999n)).toBe('renewing/purging: saw purge');
  });

  test('does not seed a second time what somebody else has seeded meanwhile', () => {
    const declared = { type: 'declared', call: LINE, depth: { ready: 1, consumers: 0 } } as const;
    expect(names(feed(opening('declaring'), declared)[1])).toBe('consume');
  });
});

describe('a cancelled consumer', () => {
  test('is never used again: a waiter closes the channel, asks for the queue and waits on a fresh one', () => {
    const [state, effects] = run(waiting(), RULES, [
      [{ type: 'cancelled', line: LINE }, {}],
      [{ type: 'wake' }, { now: later(50) }],
      [{ type: 'declared', call: LINE + 2, depth: { ready: 1, consumers: 0 } }, {}],
    ]);
    expect(effects).toEqual([
      { do: 'know', known: false },
      { do: 'close', line: LINE },
      { do: 'declare', call: LINE + 2 },
      { do: 'consume', line: LINE + 3 },
    ]);
    expect(feed(state, delivered(3))[1]).toEqual([]);
  });

  test('of a process that has not seen the token since tells it nothing about the fence', () => {
    const [, effects] = feed(waiting(), { type: 'cancelled', line: LINE }, { highestSeen: TOKEN.base });
    expect(names(effects)).not.toContain('saw');
  });
});
