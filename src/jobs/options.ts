import { z } from 'zod';
import { InvalidOptionsError } from '../errors.ts';
import { expects, parse } from '../validation.ts';
import type { Policy } from './decide.ts';
import { parseTicks } from './ticks.ts';

/** Options of `baton.schedule(name, when, task, options)`. */
export interface ScheduleOptions {
  /** IANA name, such as `Europe/Berlin`, in which a cron expression is read. Default: that of the process. */
  timezone?: string | undefined;
  /**
   * `at-least-once` records a tick after its run: a crash means that the next worker runs it again. `at-most-once`
   * records it before: a crash means that it is not run again. Default: `at-least-once`.
   */
  semantics?: 'at-least-once' | 'at-most-once' | undefined;
  /** Which of the ticks that came while no worker was there are run: none, the last, or all in order. Default: `none`. */
  catchUp?: 'none' | 'last' | 'all' | undefined;
  /**
   * Ticks that come due during a run are dropped (`skip`) or run after it, in order (`queue`). Default: `skip`;
   * `queue` with `catchUp: 'all'`, which knows nothing else. Durations know `skip` alone.
   */
  overrun?: 'skip' | 'queue' | undefined;
}

const scheduleSchema = z.strictObject({
  timezone: z.string(expects("an IANA name such as 'Europe/Berlin'")).optional(),
  semantics: z
    .enum(['at-least-once', 'at-most-once'], expects("'at-least-once' or 'at-most-once'"))
    .default('at-least-once'),
  catchUp: z.enum(['none', 'last', 'all'], expects("'none', 'last' or 'all'")).default('none'),
  overrun: z.enum(['skip', 'queue'], expects("'skip' or 'queue'")).optional(),
}) satisfies z.ZodType<object, ScheduleOptions>;

/** Validates `when` and the options of `schedule`. Throws {@link InvalidOptionsError}. */
export function parsePolicy(when: unknown, options: unknown): Policy {
  if (typeof when !== 'string') {
    throw new InvalidOptionsError([`schedule: when must be a string, got ${typeof when}`]);
  }
  const { overrun, timezone, ...rest } = parse(scheduleSchema, options, 'schedule');
  const ticks = parseTicks(when, timezone);
  if (rest.catchUp === 'all' && overrun === 'skip') {
    throw new InvalidOptionsError(["schedule: overrun must be 'queue' when catchUp is 'all', got 'skip'"]);
  }
  if (!ticks.areFixed && (rest.catchUp === 'all' || overrun === 'queue')) {
    throw new InvalidOptionsError([
      `schedule: a duration counts from the start of the last run, so nothing is queued or caught up; leave out catchUp: 'all' and overrun: 'queue', or use a cron expression in the place of ${when}`,
    ]);
  }
  return { ...rest, ticks, overrun: overrun ?? (rest.catchUp === 'all' ? 'queue' : 'skip') };
}
