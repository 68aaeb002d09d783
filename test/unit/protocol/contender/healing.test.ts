import { describe, expect, test } from 'vitest';
import { wakeAt } from '../../../../src/protocol/contender/step.ts';
import type { ContenderEvent, ContenderState } from '../../../../src/protocol/contender/types.ts';
import {
  delivered,
  feed,
  junkBody,
  LINE,
  later,
  lookingBehindStray,
  NOW,
  names,
  opening,
  place,
  probeBody,
  RULES,
  retryable,
  run,
  TOKEN,
  TRY,
  tokenBody,
  waiting,
} from './fixtures.ts';

const looked = (ready: number, call = LINE + 1): ContenderEvent => ({
  type: 'looked',
  call,
  depth: { ready, consumers: 1 },
});
const inGrace = feed(lookingBehindStray(), looked(0))[0];
const wake: ContenderEvent = { type: 'wake' };
const giveUp: ContenderEvent = { type: 'give-up' };

describe('starting over', () => {
  const startsOver = (event: ContenderEvent, highestSeen = 0n) => {
    const [state, effects] = feed(waiting(), event, { highestSeen });
    return `${place(state)}: ${names(effects)}`;
  };

  test('is the remedy for a token nobody ever had that is more than a minute old', () => {
    const seed = (ageMs: number) => delivered(0, tokenBody({ at: NOW.wall - ageMs }));
    expect(startsOver(seed(60_000))).toBe('verifying: saw know requeue grant');
    expect(startsOver(seed(60_001))).toBe('opening/removing: saw remove');
    expect(startsOver(seed(-3_600_000))).toBe('verifying: saw know requeue grant');
  });

  test('is not for an old token that has been held: its count shows that it is the live one', () => {
    expect(startsOver(delivered(1, tokenBody({ at: 0 })))).toBe('verifying: saw know requeue grant');
  });

  test('is the remedy for a token whose fence is not above the highest that this process has seen', () => {
    expect(startsOver(delivered(5), 1_004n)).toBe('verifying: saw know requeue grant');
    expect(startsOver(delivered(5), 1_005n)).toBe('opening/removing: saw remove');
    expect(startsOver(delivered(5), 9_999n)).toBe('opening/removing: saw remove');
  });

  test('keeps the channel until the queue is removed, so that nobody else is handed what it holds', () => {
    const [state, effects] = run(waiting(), RULES, [
      [delivered(5), { highestSeen: 1_005n }],
      [{ type: 'removed', call: LINE + 1 }, {}],
      [{ type: 'declared', call: LINE + 2, depth: { ready: 0, consumers: 0 } }, {}],
      [{ type: 'seeded', call: LINE + 3 }, {}],
    ]);
    expect(place(state)).toBe('opening/consuming');
    expect(effects).toEqual([
      { do: 'saw', fence: 1_005n },
      { do: 'remove', call: LINE + 1 },
      { do: 'close', line: LINE },
      { do: 'declare', call: LINE + 2 },
      { do: 'seed', call: LINE + 3 },
      { do: 'consume', line: LINE + 4 },
    ]);
  });

  test('goes on when the removal cancels the consumer or the channel dies first', () => {
    const removing = opening('removing', { line: LINE });
    expect(feed(removing, { type: 'cancelled', line: LINE })).toEqual([removing, []]);
    const closed = { type: 'closed', line: LINE, scope: 'connection', error: retryable } as const;
    const [state] = feed(removing, closed);
    expect(feed(state, { type: 'removed', call: LINE })[1]).toEqual([{ do: 'declare', call: LINE + 1 }]);
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

describe('a probe or stray that is handed out', () => {
  test.each([
    ['probe', probeBody],
    ['stray', junkBody],
    ['token of another lock', tokenBody({ name: 'else' })],
  ])(
    'a %s is never granted: it is looked behind first, and nothing is decided before the answer',
    (_what, body) => {
      const [state, effects] = feed(waiting(), delivered(3, body));
      expect(place(state)).toBe('waiting+stray');
      expect(effects).toEqual([{ do: 'look', call: LINE + 1 }]);
      expect(wakeAt(state, RULES)).toBeUndefined();
    },
  );

  test('is acked if something else is ready, which is then handed out', () => {
    const [state, effects] = feed(lookingBehindStray(), looked(1));
    expect(effects).toEqual([{ do: 'ack', line: LINE, deliveryTag: 2 }]);
    expect(place(state)).toBe('waiting');
    expect(names(feed(state, delivered(3))[1])).toBe('saw know requeue grant');
  });

  test('is kept for a grace of 2 s and looked behind again if nothing else is ready; then the queue is started over', () => {
    expect(wakeAt(inGrace, RULES)).toBe(NOW.mono + 2_000);
    expect(feed(inGrace, wake, { now: later(1_999) })[1]).toEqual([]);
    const [again, look] = feed(inGrace, wake, { now: later(2_000) });
    expect(look).toEqual([{ do: 'look', call: LINE + 2 }]);
    const [state, effects] = feed(again, looked(0, LINE + 2), { now: later(2_001) });
    expect(effects).toEqual([{ do: 'remove', call: LINE + 3 }]);
    expect(state).toMatchObject({ phase: 'removing', line: LINE });
  });

  test('is acked if the second look shows something', () => {
    const [again] = feed(inGrace, wake, { now: later(2_000) });
    expect(names(feed(again, looked(1, LINE + 2), { now: later(2_001) })[1])).toBe('ack');
  });

  test('is looked behind once more when a look fails, after the grace', () => {
    const failed = { type: 'call-failed', call: LINE + 1, error: retryable } as const;
    const [state] = feed(lookingBehindStray(), failed);
    expect(wakeAt(state, RULES)).toBe(NOW.mono + 2_000);
    expect(names(feed(state, wake, { now: later(2_000) })[1])).toBe('look');
  });

  test('behind which the queue is gone: the cancellation that is on its way decides', () => {
    const [state, effects] = feed(lookingBehindStray(), { type: 'looked', call: LINE + 1, depth: 'absent' });
    expect(effects).toEqual([]);
    expect(names(feed(state, { type: 'cancelled', line: LINE })[1])).toBe('know close declare');
  });

  test('a look that was asked for on an older line decides nothing', () => {
    const [state] = feed(lookingBehindStray(), { type: 'closed', line: LINE, scope: 'connection' });
    expect(feed(state, looked(1))).toEqual([state, []]);
  });
});

describe('a caller that waits less than the grace', () => {
  const gaveUp = (from: ContenderState) => feed(from, giveUp);

  test('is told at once, and the healing goes on without it', () => {
    const [state, effects] = gaveUp(inGrace);
    expect(effects).toEqual([{ do: 'refuse', refusal: { why: 'gave-up' } }]);
    const [end, all] = run(state, RULES, [
      [wake, { now: later(2_000) }],
      [looked(0, LINE + 2), { now: later(2_001) }],
      [{ type: 'removed', call: LINE + 3 }, {}],
      [{ type: 'closed', line: LINE, scope: 'channel' }, {}],
    ]);
    expect(place(end)).toBe('released');
    expect(names(all)).toBe('look remove know close end');
  });

  test('is told once: a second give-up and the end of a try say nothing more', () => {
    const [state] = gaveUp(inGrace);
    expect(gaveUp(state)).toEqual([state, []]);
    expect(feed({ ...waiting({ until: NOW.mono }), abandoned: true }, wake, {}, TRY)[1]).toEqual([]);
  });

  test('is never granted what is handed out afterwards: the channel is closed', () => {
    const [state] = gaveUp(inGrace);
    expect(names(feed(state, delivered(3))[1])).toBe('know close');
  });

  test('leaves once the stray was acked', () => {
    const [state] = gaveUp(lookingBehindStray());
    expect(names(feed(state, looked(1))[1])).toBe('ack know close');
  });

  test('as a try with a stray in hand is refused as unavailable, and sees the stray to its end', () => {
    const state = lookingBehindStray({ until: NOW.mono + 50 });
    const [next, effects] = feed(state, wake, { now: later(50) }, TRY);
    expect(effects).toEqual([{ do: 'refuse', refusal: { why: 'unavailable' } }]);
    expect(place(next)).toBe('waiting+stray+abandoned');
  });
});

describe('a cancelled consumer', () => {
  test('is never used again: a waiter closes the channel, asks for the queue and waits on a fresh one', () => {
    const [state, effects] = run(waiting(), RULES, [
      [{ type: 'cancelled', line: LINE }, {}],
      [{ type: 'declared', call: LINE + 1, depth: { ready: 1, consumers: 0 } }, {}],
    ]);
    expect(effects).toEqual([
      { do: 'know', known: false },
      { do: 'close', line: LINE },
      { do: 'declare', call: LINE + 1 },
      { do: 'consume', line: LINE + 2 },
    ]);
    expect(feed(state, delivered(3))[1]).toEqual([]);
  });

  test('of a process that has not seen the token since tells it nothing about the fence', () => {
    const [, effects] = feed(waiting(), { type: 'cancelled', line: LINE }, { highestSeen: TOKEN.base });
    expect(names(effects)).not.toContain('saw');
  });
});
