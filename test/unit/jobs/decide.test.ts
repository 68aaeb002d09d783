import { describe, expect, test } from 'vitest';
import {
  ABSENT_MS,
  type CatchUp,
  decide,
  doneAfter,
  type Overrun,
  type Policy,
  presentSince,
  type Semantics,
} from '../../../src/jobs/decide.ts';
import { parseTicks } from '../../../src/jobs/ticks.ts';

const HOUR = 3_600_000;
/** An instant by its hour on the day of these tests; ticks come on the hour. */
const h = (hours: number): number => Date.parse('2027-01-01T00:00:00Z') + hours * HOUR;
const hourly = parseTicks('0 * * * *', 'UTC');

function policy(catchUp: CatchUp, overrun: Overrun, semantics: Semantics = 'at-least-once'): Policy {
  return { ticks: hourly, semantics, catchUp, overrun };
}

function decided(rules: Policy, done: number | undefined, now: number, present: number) {
  const record = done === undefined ? undefined : ({ v: 1, done } as const);
  return decide(rules, { record, nowMs: now, presentSinceMs: present });
}

const run = (tick: number) => ({ do: 'run', tick });
const leave = { do: 'leave' };
const EVERY_POLICY = (['none', 'last', 'all'] as const).flatMap((catchUp) =>
  (['skip', 'queue'] as const).map((overrun) => [catchUp, overrun] as const),
);

describe.each(EVERY_POLICY)('catchUp %s, overrun %s', (catchUp, overrun) => {
  const rules = policy(catchUp, overrun);

  test('runs the tick that has just come', () => {
    expect(decided(rules, h(2), h(3), h(0))).toEqual(run(h(3)));
  });

  test('leaves a tick that is done', () => {
    expect(decided(rules, h(3), h(3.01), h(0))).toEqual(leave);
  });

  test('leaves a tick that a worker with a faster clock has done before it came here', () => {
    expect(decided(rules, h(4), h(3.95), h(0))).toEqual(leave);
  });

  test('leaves everything before the next tick', () => {
    expect(decided(rules, h(3), h(3.99), h(0))).toEqual(leave);
  });

  test('runs again a tick whose worker died', () => {
    expect(decided(rules, h(2), h(3.5), h(0))).toEqual(run(h(3)));
  });

  test('begins to remember without a run when nothing has come since this worker is here', () => {
    expect(decided(rules, undefined, h(3.5), h(3.2))).toEqual({ do: 'begin', done: h(3), why: 'first' });
  });
});

describe('nothing is remembered and a tick has come', () => {
  test('at-least-once runs it', () => {
    expect(decided(policy('none', 'skip'), undefined, h(3), h(2.5))).toEqual(run(h(3)));
  });

  test('at-most-once drops it', () => {
    expect(decided(policy('none', 'skip', 'at-most-once'), undefined, h(3), h(2.5))).toEqual({
      do: 'begin',
      done: h(3),
      why: 'memory-lost',
    });
  });
});

describe('ticks that came while no worker was there', () => {
  test.each([
    ['none', 'skip', leave],
    ['none', 'queue', leave],
    ['last', 'skip', run(h(5))],
    ['last', 'queue', run(h(5))],
    ['all', 'queue', run(h(3))],
  ] as const)('catchUp %s, overrun %s', (catchUp, overrun, expected) => {
    expect(decided(policy(catchUp, overrun), h(2), h(5.5), h(5.4))).toEqual(expected);
  });
});

describe('ticks that came during a run', () => {
  const started = h(3);
  const ended = h(5.5);

  test('are dropped by skip', () => {
    const rules = policy('none', 'skip');
    const done = doneAfter(rules, started, ended);
    expect(done).toBe(h(5));
    expect(decided(rules, done, ended, h(0))).toEqual(leave);
  });

  test('are run one after the other by queue', () => {
    const rules = policy('none', 'queue');
    expect(doneAfter(rules, h(3), ended)).toBe(h(3));
    expect(decided(rules, h(3), ended, h(0))).toEqual(run(h(4)));
    expect(decided(rules, h(4), ended, h(0))).toEqual(run(h(5)));
    expect(decided(rules, h(5), ended, h(0))).toEqual(leave);
  });

  test('never move what is done back, when the clock of the worker is behind the tick', () => {
    expect(doneAfter(policy('none', 'skip'), h(4), h(3.95))).toBe(h(4));
  });
});

describe('a duration', () => {
  const rules: Policy = { ...policy('last', 'skip'), ticks: parseTicks('1h') };

  test('runs when it has passed, and not before', () => {
    expect(decided(rules, h(3.25), h(4.2), h(0))).toEqual(leave);
    expect(decided(rules, h(3.25), h(4.25), h(0))).toEqual(run(h(4.25)));
  });

  test('counts from the start of a run', () => {
    expect(doneAfter(rules, h(3), h(3.5))).toBe(h(3));
  });
});

describe('a worker is there', () => {
  test('since its start, when it was seen within the last minute', () => {
    expect(presentSince(h(1), h(3) - ABSENT_MS, h(3))).toBe(h(1));
  });

  test('since now, when it was not', () => {
    expect(presentSince(h(1), h(3) - ABSENT_MS - 1, h(3))).toBe(h(3));
  });

  test('since its start, when its clock was set back', () => {
    expect(presentSince(h(1), h(3), h(2))).toBe(h(1));
  });
});
