import { monotonicMs } from '../clock.ts';
import { percentile } from '../stats.ts';
import { wireFigures } from './evidence.ts';
import type { Figures, Scenario, Slice } from './scenario.ts';

/** Nobody else wants the lock: one client takes it and gives it back, all the time. */
export async function measureCycles(slice: Slice, fresh: boolean): Promise<Figures> {
  const { peer, crew, server, lock, ms } = slice;
  const scratch = fresh ? await server.scratch?.() : undefined;
  const [worker] = await crew.open(scratch?.urls ?? server.urls, { waits: 1 }, 1);
  if (worker === undefined) throw new Error('a crew has workers');
  try {
    const warmUpMs = Math.min(300, ms / 4);
    const untilMs = monotonicMs() + warmUpMs;
    // With slots, a name is cheap once its slot has been used.
    const atLeast = 4 * (peer.options?.slots ?? 0);
    await worker.call('cycle', { name: fresh ? `${lock}-warm` : lock, fresh, untilMs, atLeast });
    const { acquires, releases, wire } = await worker.call('cycle', {
      name: lock,
      fresh,
      untilMs: monotonicMs() + ms,
    });
    const cycles = acquires.map((acquire, index) => acquire + (releases[index] ?? 0));
    return {
      acquireP50Ms: percentile(acquires, 50),
      acquireP99Ms: percentile(acquires, 99),
      releaseP50Ms: percentile(releases, 50),
      cycleP50Ms: percentile(cycles, 50),
      ...wireFigures(slice, [wire], { grants: acquires.length, givenUp: 0, holdMs: 0 }),
    };
  } finally {
    await crew.close();
    await scratch?.remove();
  }
}

export const cycle: Scenario = {
  id: 'cycle',
  letter: 'A',
  title: 'Acquire and release, uncontended, on a warm name',
  cases: [{ id: 'warm', title: 'a warm name' }],
  aboutS: 1.5,
  measure: (slice) => measureCycles(slice, false),
};
