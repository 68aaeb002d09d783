import { monotonicMs } from '../clock.ts';
import { judgeHandoff } from '../stats.ts';
import { wireFigures } from './evidence.ts';
import type { Case, Figures, Scenario, Slice } from './scenario.ts';

export interface Contention extends Case {
  readonly waiters: number;
  readonly holdMs: number;
}

const WORKERS = 4;

export const contention = (waiters: number, holdMs: number, slow = false): Contention => ({
  id: `${waiters}-waiters-${holdMs}-ms`,
  title: `${waiters} waiters, holds of ${holdMs} ms`,
  waiters,
  holdMs,
  slow,
});

/** Contenders in four processes want one lock, all the time. */
export async function measureContention(slice: Slice<Contention>): Promise<Figures> {
  const { crew, server, lock, ms, case: it } = slice;
  const { waiters, holdMs } = it;
  const share = Math.ceil(waiters / WORKERS);
  const workers = await crew.open(server.urls, { waits: share }, Math.min(WORKERS, waiters));
  try {
    // Until everybody has had a turn or two, order and waits are those of the start.
    const warmUpMs = Math.min(4_000, Math.max(300, waiters * 2));
    const fromMs = monotonicMs() + warmUpMs;
    const toMs = fromMs + ms;
    const reports = await Promise.all(
      workers.map((worker, index) => {
        const contenders = numbers(waiters).filter((contender) => contender % workers.length === index);
        return worker.call('contend', { name: lock, contenders, holdMs, untilMs: toMs });
      }),
    );
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
          further,
        },
      ),
    };
  } finally {
    await crew.close();
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
  measure: (slice) => measureContention(slice as Slice<Contention>),
};
