import { Cron } from 'croner';
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

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

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
  const [, amount, unit] = /^([1-9]\d{0,8})([smhdw])$/.exec(expression) ?? [];
  if (amount !== undefined) {
    if (timezone !== undefined) {
      throw new InvalidOptionsError([`timezone is for cron expressions, not for the duration ${expression}`]);
    }
    return everyMs(Number(amount) * UNITS[unit as keyof typeof UNITS]);
  }
  return cronTicks(expression, timezone);
}

function everyMs(durationMs: number): Ticks {
  return {
    areFixed: false,
    next: (afterMs) => afterMs + durationMs,
    latest: (untilMs, doneMs) => (doneMs === undefined || untilMs >= doneMs + durationMs ? untilMs : doneMs),
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
  try {
    const cron = new Cron(expression, { mode: '5-or-6-parts', ...(timezone !== undefined && { timezone }) });
    if (cron.nextRun() === null) throw new RangeError('it is never due');
    return cron;
  } catch (cause) {
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    const zone = timezone === undefined ? '' : ` in time zone ${JSON.stringify(timezone)}`;
    throw new InvalidOptionsError([
      `schedule must be a cron expression or a duration such as 90m, 12h or 1d, got ${JSON.stringify(expression)}${zone}: ${reason}`,
    ]);
  }
}
