import { Cron } from 'croner';
import { DURATION, durationMs } from '../duration.ts';
import { InvalidOptionsError } from '../errors.ts';

/** When a job is due. All instants are milliseconds since 1970, on the wall clock. */
export interface Ticks {
  /** Whether the ticks are the same for everybody (cron), or depend on the last run (duration). */
  readonly areFixed: boolean;
  /** The first tick after `afterMs`, or undefined when there is none any more. */
  next(afterMs: number): number | undefined;
  /** The last tick at or before `untilMs`, or undefined when there is none yet. `doneMs` is the last tick done. */
  latest(untilMs: number, doneMs: number | undefined): number | undefined;
}

/** Each run takes and releases a lock. */
const LEAST_MS = 1_000;

/**
 * Ticks of a cron expression (5 fields, or 6 with seconds first, or `@daily` and the like) or of a duration (`90m`,
 * `12h`, `1d`, `1w`), which counts from the start of the last run.
 *
 * Daylight saving: a local time that is skipped has its tick at the moment of the change, one that comes twice has it
 * the first time; ticks that come every so many minutes or hours go on in real time.
 *
 * @param timezone IANA name, of the cron expression only. Default: that of the process.
 * @throws InvalidOptionsError
 */
export function parseTicks(expression: string, timezone?: string): Ticks {
  const everyMs = durationMs(expression);
  if (everyMs === undefined) return cronTicks(expression, timezone);
  const problems: string[] = [];
  if (everyMs < LEAST_MS) problems.push(`schedule must be at least 1s, got ${JSON.stringify(expression)}`);
  if (timezone !== undefined) {
    problems.push(`timezone is for cron expressions, not for the duration ${JSON.stringify(expression)}`);
  }
  if (problems.length > 0) throw new InvalidOptionsError(problems);
  return every(everyMs);
}

function every(intervalMs: number): Ticks {
  return {
    areFixed: false,
    next: (afterMs) => afterMs + intervalMs,
    latest: (untilMs, doneMs) => (doneMs === undefined || untilMs >= doneMs + intervalMs ? untilMs : doneMs),
  };
}

function cronTicks(expression: string, timezone: string | undefined): Ticks {
  const cron = parseCron(expression, timezone);
  return {
    areFixed: true,
    next: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime(),
    latest: (untilMs) => cron.previousRuns(1, new Date(untilMs + 1))[0]?.getTime(), // its reference is excluded
  };
}

function parseCron(expression: string, timezone: string | undefined): Cron {
  if (timezone !== undefined && !isTimezone(timezone)) {
    throw new InvalidOptionsError([
      `timezone must be the IANA name of a time zone such as Europe/Berlin, got ${JSON.stringify(timezone)}`,
    ]);
  }
  try {
    const cron = new Cron(expression, { mode: '5-or-6-parts', ...(timezone !== undefined && { timezone }) });
    if (cron.nextRun() === null) throw new RangeError('it is never due');
    return cron;
  } catch (cause) {
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    throw new InvalidOptionsError([
      `schedule must be a cron expression or ${DURATION}, got ${JSON.stringify(expression)}: ${reason}`,
    ]);
  }
}

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}
