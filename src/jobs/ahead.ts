import type { Ticks } from './ticks.ts';

const LEAST_MS = 3_600_000;

/**
 * By how much a job is done ahead of the clock that reads this: two intervals and an hour at least, else undefined.
 * Clocks that differ by less are no news. The clock of the worker that recorded it was wrong, or this one is; until it has
 * caught up, nothing runs.
 */
export function aheadMs(ticks: Ticks, done: number, nowMs: number): number | undefined {
  const ahead = done - nowMs;
  if (ahead <= LEAST_MS) return undefined;
  const next = ticks.next(nowMs);
  const afterNext = next === undefined ? undefined : ticks.next(next);
  const intervalMs = next === undefined || afterNext === undefined ? 0 : afterNext - next;
  return ahead > 2 * intervalMs ? ahead : undefined;
}
