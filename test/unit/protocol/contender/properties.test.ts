import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Command } from './commands.ts';
import { Met, oneContender, severalContenders } from './model.ts';

test('one contender keeps every rule whatever happens in whatever order', () => {
  const met = new Met();
  fc.assert(oneContender(met), { numRuns: 8_000 });
  expect(met.grants).toBeGreaterThan(met.contenders / 20);
  expect(met.refusals).toBeGreaterThan(met.contenders / 20);
  expect(met.losses).toBeGreaterThan(met.contenders / 60);
  expect(met.releases).toBeGreaterThan(10);
  expect(met.delays).toBeGreaterThan(10);
});

test('several contenders of one process that share what they have seen keep every rule', () => {
  const met = new Met();
  fc.assert(severalContenders(met), { numRuns: 8_000 });
  expect(met.grants).toBeGreaterThan(met.contenders / 20);
  expect(met.losses).toBeGreaterThan(10);
});

/** Rare places, reached first; everything else is left to chance. */
describe('one contender keeps every rule whatever happens', () => {
  const progress = (step = 1): Command => ({ do: 'progress', step, closeFirst: true });
  const found: Command = { do: 'answer', pick: 0, ready: 1, consumers: 0 };
  /** A contender on 4.0 that has found the queue and holds a token with a long log. */
  const toHeld: readonly Command[] = [found, progress(), progress(100_001), progress()];
  const deliver = (what: 'probe' | 'junk'): Command => ({ do: 'deliver', what, old: false, step: 1 });
  const places: Readonly<Record<string, readonly Command[]>> = {
    'while a long log is being ended': [...toHeld, { do: 'release' }, progress()],
    'after its queue was deleted': [found, progress(), { do: 'cancelled', old: false }],
    'after the wall clock was set back during a hold': [
      ...toHeld,
      { do: 'pass', monoMs: 100, skewMs: -15_000 },
      { do: 'verify' },
    ],
    'behind a stray that was acked': [
      found,
      progress(),
      deliver('probe'),
      { do: 'answer', pick: 0, ready: 1, consumers: 1 },
      { do: 'pass', monoMs: 2_000, skewMs: 0 },
      deliver('junk'),
      { do: 'answer', pick: 0, ready: 0, consumers: 1 },
    ],
    'behind a stray in its grace': [
      found,
      progress(),
      deliver('probe'),
      { do: 'answer', pick: 0, ready: 0, consumers: 1 },
      { do: 'until-due', earlyMs: 0 },
      { do: 'answer', pick: 0, ready: 1, consumers: 1 },
      deliver('junk'),
    ],
  };

  test.each(Object.entries(places))('%s', (_where, first) => {
    fc.assert(oneContender(new Met(), first), { numRuns: 3_000 });
  });
});
