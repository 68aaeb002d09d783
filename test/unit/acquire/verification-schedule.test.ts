import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VerificationSchedule } from '../../../src/acquire/verification-schedule.ts';
import { ManualClock } from '../../../src/testing/index.ts';
import { uncaughtDuring } from '../uncaught.ts';

const EVERY_MS = 5_000;

/** A clock whose timers fire a little early, as Node's do after a busy turn of the event loop. */
class HastyClock extends ManualClock {
  timers = 0;
  readonly earlyMs: number;

  constructor(earlyMs = 0) {
    super();
    this.earlyMs = earlyMs;
  }

  override setTimer(atMono: number, callback: () => void): () => void {
    this.timers += 1;
    const left = atMono - this.now().mono;
    return super.setTimer(left > this.earlyMs ? atMono - this.earlyMs : atMono, callback);
  }
}

describe('the rounds of verifications', () => {
  test('come after the last question and never later than verifyEveryMs after it, whenever that was', async () => {
    const instants = fc.double({ min: 0, max: 1e7, noNaN: true });
    const property = fc.asyncProperty(
      instants,
      fc.integer({ min: 100, max: 60_000 }),
      fc.nat(200),
      async (sentMono, everyMs, earlier) => {
        const clock = new ManualClock();
        clock.stall(sentMono);
        const rounds = new VerificationSchedule(clock, everyMs);
        for (let i = 0; i < earlier; i += 1) rounds.place();
        const due = sentMono + everyMs;
        let askedAt = Number.NaN;
        rounds.join(rounds.place(), due, () => {
          askedAt = clock.now().mono;
        });
        await clock.advance(everyMs);
        expect(askedAt).toBeGreaterThan(sentMono);
        expect(askedAt).toBeLessThanOrEqual(due);
      },
    );
    await fc.assert(property, { numRuns: 300 });
  });

  test('are evenly full: of 1,000 holds that are due at the same time, no 200 ms have more than 60', async () => {
    const clock = new HastyClock();
    const rounds = new VerificationSchedule(clock, EVERY_MS);
    const askedAt: number[] = [];
    for (let i = 0; i < 1_000; i += 1) {
      rounds.join(rounds.place(), EVERY_MS, () => askedAt.push(clock.now().mono));
    }
    expect(clock.timers).toBeLessThanOrEqual(25);
    await clock.advance(EVERY_MS);
    expect(askedAt).toHaveLength(1_000);
    for (const from of askedAt) {
      expect(askedAt.filter((at) => at >= from && at < from + 200).length).toBeLessThanOrEqual(60);
    }
  });

  test('that have been are not waited for: what is due goes out when it is due', async () => {
    const clock = new ManualClock();
    const rounds = new VerificationSchedule(clock, EVERY_MS);
    const place = rounds.place();
    await clock.advance(3 * EVERY_MS + place + 1);
    const due = clock.now().mono + 1;
    let askedAt = Number.NaN;
    rounds.join(place, due, () => {
      askedAt = clock.now().mono;
    });
    await clock.advance(1);
    expect(askedAt).toBe(due);
  });

  test('do not come early, although timers do: the question of a round would be asked twice', async () => {
    const clock = new HastyClock(2);
    const rounds = new VerificationSchedule(clock, EVERY_MS);
    const place = rounds.place();
    const askedAt: number[] = [];
    rounds.join(place, EVERY_MS, () => askedAt.push(clock.now().mono));
    await clock.advance(EVERY_MS);
    expect(askedAt).toEqual([place]);
  });

  test('call nobody who has left, and set no timer for a round that everybody has left', async () => {
    const clock = new HastyClock();
    const rounds = new VerificationSchedule(clock, EVERY_MS);
    const place = rounds.place();
    const called: string[] = [];
    const leave = ['one', 'other'].map((who) => rounds.join(place, EVERY_MS, () => called.push(who)));
    leave[0]?.();
    await clock.advance(EVERY_MS);
    expect(called).toEqual(['other']);
    for (let i = 0; i < 3; i += 1) rounds.join(place, 2 * EVERY_MS, () => called.push('gone'))();
    await clock.advance(EVERY_MS);
    expect(called).toEqual(['other']);
  });

  test('let nobody stand in the way of the others: what one of them throws comes from a turn of its own', async () => {
    const clock = new ManualClock();
    const rounds = new VerificationSchedule(clock, EVERY_MS);
    const place = rounds.place();
    const thrown = new Error('a logger that throws');
    const called: string[] = [];
    rounds.join(place, EVERY_MS, () => {
      throw thrown;
    });
    rounds.join(place, EVERY_MS, () => called.push('other'));
    const uncaught = await uncaughtDuring(() => clock.advance(EVERY_MS));
    expect(called).toEqual(['other']);
    expect(uncaught).toEqual([thrown]);
  });
});
