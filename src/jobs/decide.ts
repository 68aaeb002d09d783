import type { JobRecord } from './record.ts';
import type { Ticks } from './ticks.ts';

/** `at-least-once` records a tick after its run, `at-most-once` before it. */
export type Semantics = 'at-least-once' | 'at-most-once';

/** Which of the ticks that came while no worker was there are run: none, the last of them, or all in order. */
export type CatchUp = 'none' | 'last' | 'all';

/** Ticks that come due during a run are dropped (`skip`) or run after it, in order (`queue`). */
export type Overrun = 'skip' | 'queue';

export interface Policy {
  readonly ticks: Ticks;
  readonly semantics: Semantics;
  readonly catchUp: CatchUp;
  readonly overrun: Overrun;
}

export interface Situation {
  /** What the lock remembers; undefined when it remembers nothing. */
  readonly record: JobRecord | undefined;
  readonly nowMs: number;
  /** Since when this worker has been there without a break: an earlier tick is one that it missed. */
  readonly presentSinceMs: number;
}

export type Decision =
  | { readonly do: 'run'; readonly tick: number }
  /** Nothing is due, or it is done already. */
  | { readonly do: 'leave' }
  /** Nothing is remembered: begin to remember here, without a run. `memory-lost` drops a tick that may have been run. */
  | { readonly do: 'begin'; readonly done: number; readonly why: 'first' | 'memory-lost' };

/** The holder of the job's lock decides with this what is to be done. */
export function decide(policy: Policy, { record, nowMs, presentSinceMs }: Situation): Decision {
  const { ticks, semantics, catchUp, overrun } = policy;
  const latest = ticks.latest(nowMs, record?.done);
  if (record === undefined) {
    const due = latest !== undefined && latest >= presentSinceMs;
    if (due && semantics === 'at-least-once') return { do: 'run', tick: latest };
    return { do: 'begin', done: latest ?? nowMs, why: due ? 'memory-lost' : 'first' };
  }
  const { done } = record;
  if (latest === undefined || latest <= done) return { do: 'leave' };
  if (overrun === 'skip') {
    return latest >= presentSinceMs || catchUp !== 'none' ? { do: 'run', tick: latest } : { do: 'leave' };
  }
  const tick = firstOf(ticks, catchUp, done, presentSinceMs);
  return tick !== undefined && tick <= nowMs ? { do: 'run', tick } : { do: 'leave' };
}

/** What is recorded as done when the run of `tick` is over. */
export function doneAfter({ ticks, overrun }: Policy, tick: number, nowMs: number): number {
  if (overrun === 'queue') return tick;
  return Math.max(tick, ticks.latest(nowMs, tick) ?? tick);
}

/** What is recorded as done while the first run ever, of `tick`, is not: nothing from which a duration could count. */
export function doneBefore({ ticks }: Policy, tick: number): number {
  return ticks.areFixed ? tick - 1 : 0;
}

function firstOf(ticks: Ticks, catchUp: CatchUp, done: number, presentSinceMs: number): number | undefined {
  if (catchUp === 'all') return ticks.next(done);
  const missed = ticks.latest(presentSinceMs - 1, done);
  if (catchUp === 'last' && missed !== undefined && missed > done) return missed;
  return ticks.next(Math.max(done, presentSinceMs - 1));
}

/** How long a worker may be out of sight before the ticks of that time count as missed: suspended, stopped, or started later. */
export const ABSENT_MS = 60_000;

/** Since when a worker is there, given when it was last seen to be. */
export function presentSince(sinceMs: number, lastSeenMs: number, nowMs: number): number {
  return nowMs - lastSeenMs > ABSENT_MS ? nowMs : sinceMs;
}
