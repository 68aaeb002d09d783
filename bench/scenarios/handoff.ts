import { setTimeout as pause } from 'node:timers/promises';
import { monotonicMs } from '../clock.ts';
import { untilCalm } from '../peers/processes.ts';
import { judgeHandoff } from '../stats.ts';
import type { Worker } from '../workers/crew.ts';
import { wireFigures } from './evidence.ts';
import type { Case, Figures, Scenario, Slice } from './scenario.ts';

export interface Contention extends Case {
  readonly waiters: number;
  readonly holdMs: number;
}

const WORKERS = 4;
/** Code gets warm, the order of the start is forgotten. */
const LEAST_MS = 300;
/** After more waiters than these a server has something to clear away. */
const SOON_GONE = 200;

export const contention = (waiters: number, holdMs: number, slow = false): Contention => ({
  id: `${waiters}-waiters-${holdMs}-ms`,
  title: `${waiters} waiters, holds of ${holdMs} ms`,
  waiters,
  holdMs,
  slow,
});

/**
 * Contenders in four processes want one lock, all the time. The figures begin when everybody has been in line, or after
 * `lineUpMs` where the server tells nobody.
 */
export async function measureContention(slice: Slice<Contention>, lineUpMs = 1_500): Promise<Figures> {
  const { crew, server, lock, ms, case: it } = slice;
  const { waiters, holdMs } = it;
  const share = Math.ceil(waiters / WORKERS);
  const workers = await crew.open(server.urls, { waits: share }, Math.min(WORKERS, waiters));
  try {
    // Only one of them makes the lock.
    await workers[0]?.call('take', { names: [lock], release: true });
    const contending = Promise.all(
      workers.map((worker, index) => {
        const contenders = numbers(waiters).filter((contender) => contender % workers.length === index);
        return worker.call('contend', { name: lock, contenders, holdMs });
      }),
    );
    await Promise.race([contending, untilLinedUp(workers, waiters, lineUpMs)]);
    const fromMs = monotonicMs();
    await Promise.race([contending, pause(ms)]);
    const toMs = monotonicMs();
    await Promise.all(workers.map((worker) => worker.call('endContention')));
    const reports = await contending;
    const failures = reports.flatMap((report) => report.failures);
    if (failures.length > 0) throw new Error(`${failures.length} contenders failed: ${failures[0]}`);
    const turns = reports.flatMap((report) => report.turns);
    const figures = judgeHandoff(turns, waiters, { fromMs, toMs });
    const { overlaps, fencesFallen, inversions } = figures;
    const further = [
      ...(overlaps > 0 ? [`${overlaps} grants came before the release of the one before`] : []),
      ...(fencesFallen > 0 ? [`${fencesFallen} fences did not rise`] : []),
    ];
    return {
      ...figures,
      inversionsPercent: (inversions * 100) / Math.max(1, figures.grants),
      ...wireFigures(
        slice,
        reports.map(({ wire }) => wire),
        {
          grants: turns.filter(({ grantedAt }) => grantedAt < Number.POSITIVE_INFINITY).length,
          givenUp: reports.reduce((sum, report) => sum + report.givenUp, 0),
          holdMs,
          further,
        },
      ),
    };
  } finally {
    await crew.close();
    if (waiters > SOON_GONE) await untilCalm(server);
  }
}

async function untilLinedUp(workers: readonly Worker[], wanted: number, lineUpMs: number): Promise<void> {
  const startedAt = monotonicMs();
  await pause(LEAST_MS);
  while (monotonicMs() - startedAt < lineUpMs) {
    const counts = await Promise.all(workers.map((worker) => worker.call('linedUp')));
    if (counts.reduce((sum, count) => sum + count, 0) >= wanted) return;
    await pause(100);
  }
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

export const handoff: Scenario = {
  id: 'handoff',
  letter: 'C',
  title: 'Hand-off under contention',
  cases: [0, 5].flatMap((holdMs) =>
    [2, 8, 32, 256].map((waiters) => contention(waiters, holdMs, holdMs > 0 || waiters !== 8)),
  ),
  aboutS: 2.2,
  measure: (slice) => measureContention(slice as Slice<Contention>),
};
