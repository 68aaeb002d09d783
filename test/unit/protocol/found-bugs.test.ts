import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { vouchedMs, wakeAt } from '../../../src/protocol/contender/step.ts';
import type { ContenderEvent } from '../../../src/protocol/contender/types.ts';
import type { Command } from './contender/commands.ts';
import {
  closing,
  delivered,
  feed,
  granting,
  HOLD,
  LINE,
  later,
  lookingBehindStray,
  names,
  opening,
  permanent,
  place,
  RULES,
  retryable,
  run,
  V4_0,
  V4_3,
  verifying,
  waiting,
} from './contender/fixtures.ts';
import { Met, oneContender, severalContenders } from './contender/model.ts';
import { KNOWN_BUGS_APART } from './contender/world.ts';

const wake: ContenderEvent = { type: 'wake' };

/** A contender on 4.0 that has found the queue and holds a token with a long log. */
const progress = (step = 1): Command => ({ do: 'progress', step, closeFirst: true });
const toHeld: readonly Command[] = [
  { do: 'answer', pick: 0, ready: 1, consumers: 0 },
  progress(),
  progress(100_001),
  progress(),
];

describe('a grant that awaits its proof', () => {
  test('is not given once this process has seen a higher fence', () => {
    const [state, effects] = feed(granting(), delivered(HOLD.returns + 1), {
      highestSeen: HOLD.fence + 1_000n,
    });
    expect(names(effects)).not.toContain('grant');
    expect(place(state)).toBe('opening/consuming');
  });

  test('is never below what any contender of the process has seen, whatever happens', () => {
    const strict = { ...KNOWN_BUGS_APART, seenUntilGrant: true };
    fc.assert(severalContenders(new Met(), strict), { numRuns: 4_000 });
  });
});

describe('a shutdown while a long log is being ended', () => {
  const shutdownWhen = (phase: 'declaring' | 'seeding') =>
    run(closing(phase), RULES, [
      [{ type: 'closed', line: LINE, scope: 'channel' }, {}],
      [{ type: 'shutdown' }, {}],
      [{ type: 'declared', call: LINE + 1, depth: { ready: 0, consumers: 0 } }, {}],
      [{ type: 'seeded', call: LINE + 1 }, {}],
      [{ type: 'seeded', call: LINE + 2 }, {}],
    ]);

  test.each(['declaring', 'seeding'] as const)(
    'still ends when its channel was gone before (%s)',
    (phase) => {
      const [state, effects] = shutdownWhen(phase);
      expect(place(state)).toBe('released');
      expect(names(effects)).toMatch(/end$/);
    },
  );

  test('never leaves a contender that waits for ever, whatever happens', () => {
    const strict = { ...KNOWN_BUGS_APART, shutdownAtLongLog: true };
    fc.assert(oneContender(new Met(), strict, [...toHeld, { do: 'release' }, progress()]), {
      numRuns: 4_000,
    });
  });
});

describe('a proof', () => {
  test('whose question was sent before the wall clock went back and forth does not leave a lease without an end', () => {
    const [state] = run(verifying({ sentAt: later(5_000, -15_000) }), RULES, [
      [delivered(HOLD.returns + 1), { now: later(5_100, 1_000) }],
    ]);
    if (state.at === 'held') expect(vouchedMs(state, RULES, later(5_100, 1_000))).toBeGreaterThan(0);
    else expect(place(state)).toBe('lost/clock-jump');
  });

  test('never leaves a contender that holds with nothing left of the lease, whatever the clocks do', () => {
    const strict = { ...KNOWN_BUGS_APART, leaseAfterProof: true };
    const setBack: readonly Command[] = [{ do: 'pass', monoMs: 100, skewMs: -15_000 }, { do: 'verify' }];
    fc.assert(oneContender(new Met(), strict, [...toHeld, ...setBack]), { numRuns: 4_000 });
  });
});

describe('closing', () => {
  test('is not ended by the failure of a call that nobody waits for any more', () => {
    const [state] = feed(lookingBehindStray(), { type: 'shutdown' });
    expect(place(state)).toBe('closing/channel');
    const failed = { type: 'call-failed', call: LINE + 1, error: retryable } as const;
    expect(feed(state, failed)).toEqual([state, []]);
  });

  test('after a removal was given up waits for the broker to close the channel', () => {
    const [state] = feed(closing('removing'), { type: 'shutdown' });
    const failed = { type: 'call-failed', call: LINE + 1, error: permanent } as const;
    expect(feed(state, failed)).toEqual([state, []]);
  });
});

describe('a stray in hand', () => {
  test('needs two looks that show nothing before the queue is removed: a look that failed shows nothing at all', () => {
    const [, effects] = run(lookingBehindStray(), RULES, [
      [{ type: 'call-failed', call: LINE + 1, error: retryable }, {}],
      [wake, { now: later(2_000) }],
      [{ type: 'looked', call: LINE + 2, depth: { ready: 0, consumers: 1 } }, { now: later(2_010) }],
    ]);
    expect(names(effects)).toBe('look');
  });
});

describe('a contender without a caller whose queue is gone', () => {
  test('says when it wants to be woken to leave, since it does leave at that wake', () => {
    const state = waiting({ abandoned: true, graceUntil: later(2_000).mono });
    expect(names(feed(state, wake, { now: later(2_000) })[1])).toContain('close');
    expect(wakeAt(state, RULES)).toBe(later(2_000).mono);
  });
});

describe('the port', () => {
  test.each([V4_0, V4_3])(
    'may deliver before it says consuming (%j): the token is not forgotten',
    (traits) => {
      const [state] = run(opening('consuming'), RULES, [
        [delivered(3), {}],
        [{ type: 'consuming', line: LINE, traits }, {}],
      ]);
      expect(place(state)).toBe(traits === V4_3 ? 'verifying' : 'granting');
    },
  );
});
