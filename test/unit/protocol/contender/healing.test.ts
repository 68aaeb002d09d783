import { describe, expect, test } from 'vitest';
import type { QueueDepth } from '../../../../src/broker/port.ts';
import { wakeAt } from '../../../../src/protocol/contender/step.ts';
import type { ContenderEvent } from '../../../../src/protocol/contender/types.ts';
import {
  delivered,
  feed,
  junkBody,
  LINE,
  later,
  NOW,
  names,
  newerBody,
  opening,
  permanent,
  place,
  probeBody,
  RULES,
  renewing,
  retryable,
  run,
  TOKEN,
  TRY,
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

  test('purges what is ready, acks what is in hand, and seeds only then; the place in line stays', () => {
    const [state, effects] = run(waiting(), RULES, [
      [delivered(5), { highestSeen: 1_005n }],
      [{ type: 'purged', call: LINE + 1 }, {}],
      [{ type: 'looked', call: LINE + 2, depth: { ready: 0, consumers: 1 } }, {}],
      [{ type: 'seeded', call: LINE + 3 }, {}],
    ]);
    expect(state).toEqual(waiting({ turn: LINE + 3 }));
    expect(effects).toEqual([
      { do: 'saw', fence: 1_005n },
      { do: 'purge', call: LINE + 1 },
      { do: 'ack', line: LINE, deliveryTag: 2 },
      { do: 'look', call: LINE + 2 },
      { do: 'seed', call: LINE + 3 },
    ]);
  });

  const looked = (depth: QueueDepth | 'absent') => ({ type: 'looked', call: LINE + 1, depth }) as const;

  test('does not seed beside what somebody else has seeded, nor into a queue that is gone', () => {
    for (const depth of [{ ready: 1, consumers: 1 }, 'absent'] as const)
      expect(feed(renewing('looking'), looked(depth))).toEqual([waiting({ turn: LINE + 1 }), []]);
  });

  test('seeds after a look that failed: a second token is inert, a missing one is not', () => {
    const failed = { type: 'call-failed', call: LINE + 1, error: retryable } as const;
    expect(names(feed(renewing('looking'), failed)[1])).toBe('seed');
  });

  test('grants its own token also when that comes before the confirm, and the confirm says nothing then', () => {
    const [state, effects] = feed(renewing('seeding'), delivered(0));
    expect(place(state)).toBe('held');
    expect(names(effects)).toBe('saw know grant');
    expect(feed(state, { type: 'seeded', call: LINE + 1 })).toEqual([state, []]);
  });

  test('acks whatever comes after the purge and must not be granted either', () => {
    for (const [body, does] of [
      [probeBody, 'ack'],
      [junkBody, 'ack'],
      [tokenBody({ base: 3n }), 'saw ack'],
    ] as const) {
      const [state, effects] = feed(renewing('seeding'), delivered(1, body), { highestSeen: 1_005n });
      expect(place(state)).toBe('renewing/seeding');
      expect(names(effects)).toBe(does);
    }
  });

  test('gives back a token of a newer version, as ever', () => {
    const [state, effects] = feed(renewing('looking'), delivered(1, newerBody));
    expect(place(state)).toBe('closing');
    expect(names(effects)).toBe('refuse know close');
  });

  test('still seeds when the channel dies after the ack, and takes a fresh place then', () => {
    const closed = { type: 'closed', line: LINE, scope: 'connection', error: retryable } as const;
    const [, effects] = run(renewing('looking'), RULES, [
      [closed, {}],
      [looked({ ready: 0, consumers: 1 }), {}],
      [{ type: 'seeded', call: LINE + 2 }, {}],
    ]);
    expect(names(effects)).toBe('seed consume');
  });

  test('in a try awaits its token for 50 ms', () => {
    const [state] = feed(renewing('seeding'), { type: 'seeded', call: LINE + 1 }, {}, TRY);
    expect(wakeAt(state, TRY)).toBe(NOW.mono + 50);
    expect(names(feed(state, { type: 'wake' }, { now: later(50) }, TRY)[1])).toBe('refuse close');
  });

  test('that may not purge ends the wait with that error, and what was held goes back to the queue', () => {
    const failed = { type: 'call-failed', call: LINE + 1, error: permanent } as const;
    const [, effects] = feed(renewing('purging'), failed);
    expect(effects).toEqual([
      { do: 'close', line: LINE },
      { do: 'refuse', refusal: { why: 'failed', error: permanent } },
      { do: 'know', known: false },
      { do: 'end' },
    ]);
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
