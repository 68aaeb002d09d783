import { aheadMs } from './ahead.ts';
import { decide, doneAfter, doneBefore, type Policy } from './decide.ts';
import type { JobRecord, LastRun } from './record.ts';

/** What a job needs of a lease with state. */
export interface JobLease {
  readonly fence: bigint;
  readonly signal: AbortSignal;
  readonly state: JobRecord | undefined;
  throwIfLost(): void;
  save(record: JobRecord): Promise<void>;
  release(options?: { state: JobRecord }): Promise<void>;
}

/** What became of a run that was not interrupted. */
export interface Ending extends Pick<LastRun, 'exitCode' | 'signal'> {
  readonly outcome: 'done' | 'failed';
}

export type Turn =
  /** `aheadMs`: it is done so far ahead of this worker's clock that somebody's clock was wrong. */
  | { readonly did: 'nothing'; readonly done: number; readonly aheadMs: number | undefined }
  /** Began to remember; `memory-lost`: a tick that may have been run before was dropped. */
  | { readonly did: 'begin'; readonly done: number; readonly why: 'first' | 'memory-lost' }
  | { readonly did: 'run'; readonly done: number; readonly last: LastRun };

export interface Turning {
  readonly policy: Policy;
  readonly presentSinceMs: number;
  /** service@host/pid */
  readonly by: string;
  /** The wall clock. */
  readonly now: () => number;
}

/**
 * With the job's lock in hand: decides, runs, records and releases. Rejects when the lease was lost before the end
 * was recorded, and when the broker does not take the record: what has run is then recorded with at-most-once only.
 */
export async function takeTurn(
  lease: JobLease,
  { policy, presentSinceMs, by, now }: Turning,
  run: (tick: number) => Promise<Ending>,
): Promise<Turn> {
  const record = lease.state;
  const nowMs = now();
  const decision = decide(policy, { record, nowMs, presentSinceMs });
  switch (decision.do) {
    case 'leave': {
      await lease.release();
      const done = record?.done ?? 0;
      return { did: 'nothing', done, aheadMs: aheadMs(policy.ticks, done, nowMs) };
    }
    case 'begin':
      await lease.release({ state: { v: 1, done: decision.done } });
      return { did: 'begin', done: decision.done, why: decision.why };
    case 'run':
      break;
  }
  const { tick } = decision;
  const startedAt = now();
  const started: LastRun = { tick, by, fence: String(lease.fence), startedAt, outcome: 'started' };
  const before = record?.done ?? doneBefore(policy, tick);
  const atMostOnce = policy.semantics === 'at-most-once';
  if (atMostOnce) await lease.save({ v: 1, done: tick, last: started });
  const ending = await run(tick);
  lease.throwIfLost();
  const endedAt = now();
  const last: LastRun = {
    ...started,
    tookMs: Math.max(0, endedAt - startedAt),
    ...ending,
  };
  const isDone = ending.outcome === 'done' || atMostOnce;
  const done = isDone ? doneAfter(policy, tick, endedAt) : before;
  await lease.release({ state: { v: 1, done, last } });
  return { did: 'run', done, last };
}
