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
  retryable,
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
    expect(startsOver(seed(60_001))).toBe('opening/removing: saw remove');
    expect(startsOver(seed(-3_600_000))).toBe('held: saw know grant');
  });

  test('is not for an old token that has been held: its count shows that it is the live one', () => {
    expect(startsOver(delivered(1, tokenBody({ at: 0 })))).toBe('held: saw know grant');
  });

  test('is the remedy for a token whose fence is not above the highest that this process has seen', () => {
    expect(startsOver(delivered(5), 1_004n)).toBe('held: saw know grant');
    expect(startsOver(delivered(5), 1_005n)).toBe('opening/removing: saw remove');
    expect(startsOver(delivered(5), 9_999n)).toBe('opening/removing: saw remove');
  });

  test('keeps the channel until the queue is removed, so that nobody else is handed what it holds', () => {
    const [state, effects] = run(waiting(), RULES, [
      [delivered(5), { highestSeen: 1_005n }],
      [{ type: 'removed', call: LINE + 1 }, {}],
      [{ type: 'wake' }, { now: later(50) }],
      [{ type: 'declared', call: LINE + 3, depth: { ready: 0, consumers: 0 } }, {}],
      [{ type: 'seeded', call: LINE + 4 }, {}],
    ]);
    expect(place(state)).toBe('opening/consuming');
    expect(effects).toEqual([
      { do: 'saw', fence: 1_005n },
      { do: 'remove', call: LINE + 1 },
      { do: 'close', line: LINE },
      { do: 'declare', call: LINE + 3 },
      { do: 'seed', call: LINE + 4 },
      { do: 'consume', line: LINE + 5 },
    ]);
  });

  test('goes on when the removal cancels the consumer or the channel dies first', () => {
    const removing = opening('removing', { line: LINE });
    expect(feed(removing, { type: 'cancelled', line: LINE })).toEqual([removing, []]);
    const closed = { type: 'closed', line: LINE, scope: 'connection', error: retryable } as const;
    const [state] = feed(removing, closed);
    const [, effects] = run(state, RULES, [
      [{ type: 'removed', call: LINE }, {}],
      [{ type: 'wake' }, { now: later(50) }],
    ]);
    expect(effects).toEqual([{ do: 'declare', call: LINE + 2 }]);
  });

  test('does not seed a second time what somebody else has seeded meanwhile', () => {
    const declared = { type: 'declared', call: LINE, depth: { ready: 1, consumers: 0 } } as const;
    expect(names(feed(opening('declaring'), declared)[1])).toBe('consume');
  });

  test('that fails is tried again later, and what was held goes back to the queue', () => {
    const failed = { type: 'call-failed', call: LINE, error: retryable } as const;
    const [state, effects] = feed(opening('removing', { line: LINE }), failed);
    expect(place(state)).toBe('opening/resting');
    expect(effects[0]).toEqual({ do: 'close', line: LINE });
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
