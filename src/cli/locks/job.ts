import { Coordinator } from '../../coordinator.ts';
import { isBatonError } from '../../index.ts';
import { type JobRecord, jobRecordSchema, type LastRun } from '../../jobs/record.ts';
import { registerQueueName } from '../../protocol/queues.ts';
import type { Inspection } from '../inspection.ts';
import { isoOf } from '../management/answers.ts';
import { ago, spanOf } from '../table.ts';
import type { LockReport } from './report.ts';

/** What a lock remembers of the job that it is for: nothing, a record, or a reason why that cannot be told. */
export type Job =
  | { readonly is: 'none' }
  | { readonly is: 'known'; readonly record: JobRecord }
  | { readonly is: 'unknown'; readonly why: string };

/** No tick is done before it comes, by clocks that are right; those of two machines may differ by minutes. */
const AHEAD_MS = 3_600_000;

const NONE: Job = { is: 'none' };

/**
 * Only the holder of a lock can read its state. So a lock that is free, and has state, is taken for the few
 * milliseconds of a reading, without waiting; of one that is held nothing is read.
 */
export async function readJob(
  { session, settings }: Inspection,
  { lock, state }: Pick<LockReport, 'lock' | 'state'>,
): Promise<Job> {
  if (settings.slots !== undefined || Number.isFinite(settings.idleExpiryMs)) return NONE;
  if (state !== 'held' && state !== 'free') return NONE;
  try {
    if ((await session.look(registerQueueName(settings.namespace, lock))) === 'absent') return NONE;
    if (state === 'held') return HELD;
    // Not closed: that would close the session of the whole inspection.
    const baton = new Coordinator(session, settings);
    const lease = await baton.lock(lock, { state: jobRecordSchema }).tryAcquire();
    if (lease === undefined) return HELD;
    const record = lease.state;
    await lease.release();
    return record === undefined ? NONE : { is: 'known', record };
  } catch (error) {
    if (!isBatonError(error)) throw error;
    // Some other state.
    return error.code === 'state' ? NONE : { is: 'unknown', why: error.message };
  }
}

const HELD: Job = { is: 'unknown', why: 'its holder has the record' };

/** Recorded as done up to a time that has not come by this machine's clock. */
export function isAhead({ done }: JobRecord): boolean {
  return done - Date.now() > AHEAD_MS;
}

/** For `--json`: null when there is none, and when it is not known. */
export function jobJson(job: Job): object | null {
  if (job.is !== 'known') return null;
  const { done, last } = job.record;
  return { doneUpTo: done === 0 ? null : isoOf(done), lastRun: last === undefined ? null : runJson(last) };
}

function runJson({ tick, by, fence, startedAt, tookMs, outcome, exitCode, signal }: LastRun): object {
  return {
    tick: isoOf(tick),
    by,
    fence,
    startedAt: isoOf(startedAt),
    tookMs: tookMs ?? null,
    outcome,
    exitCode: exitCode ?? null,
    signal: signal ?? null,
  };
}

/** For people: what, and its value. */
export function jobFacts(job: Job): [string, string][] {
  if (job.is === 'none') return [];
  if (job.is === 'unknown') return [['last run', `unknown: ${job.why}`]];
  const { done, last } = job.record;
  const warning = isAhead(job.record)
    ? ': a clock was wrong, and nothing runs until then (docs/jobs.md, Clocks)'
    : '';
  const upTo: [string, string] = ['done up to', `${done === 0 ? 'nothing' : ago(isoOf(done))}${warning}`];
  if (last === undefined) return [['last run', 'none yet'], upTo];
  return [
    ['last run', ago(isoOf(last.startedAt))],
    ['run by', last.by],
    ['run took', last.tookMs === undefined ? '?' : tookText(last.tookMs)],
    ['run ended', endText(last)],
    ['for tick', ago(isoOf(last.tick))],
    upTo,
  ];
}

function endText({ outcome, exitCode, signal }: LastRun): string {
  if (outcome === 'started') return 'nobody has told: its worker died, or lost the lock';
  const how = signal === undefined ? `exit code ${exitCode}` : `killed by ${signal}`;
  return exitCode === undefined ? outcome : `${outcome}, ${how}`;
}

const tookText = (ms: number): string =>
  ms < 120_000 ? `${(ms / 1_000).toFixed(1)} s` : spanOf(Math.round(ms / 1_000));
