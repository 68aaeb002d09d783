import type { Inspection } from '../inspection.ts';
import { isAhead, readJob } from '../locks/job.ts';
import type { Finding } from './finding.ts';
import { grouped, type Judgement } from './grouped.ts';
import type { LockQueue } from './tokens.ts';

/** How many jobs are read; each takes some round trips, and its lock for that time. */
const AT_MOST = 200;

/** Jobs that a clock which was wrong has switched off: nothing runs until the others' clocks have caught up. */
export async function jobFindings(inspection: Inspection, queues: readonly LockQueue[]): Promise<Finding[]> {
  if (queues.length === 0) return []; // or the management API does not tell
  const isFree = ({ part, ready, used }: LockQueue) => part === 'lock' && ready > 0 && !used;
  const free = new Set(queues.filter(isFree).map(({ lock }) => lock));
  const jobs = queues.filter(({ part, lock }) => part === 'register' && free.has(lock));
  const judgements: Judgement[] = [];
  let known = 0;
  for (const { lock } of jobs.slice(0, AT_MOST)) {
    const job = await readJob(inspection, { lock, state: 'free' });
    if (job.is !== 'known') continue;
    known += 1;
    if (!isAhead(job.record)) continue;
    const says = `is recorded as done ahead of this machine's clock: a clock was wrong, and nothing runs until then (docs/jobs.md, Clocks)`;
    judgements.push({ check: 'jobs', level: 'warning', of: `job ${JSON.stringify(lock)}`, says });
  }
  const findings = grouped(judgements);
  if (jobs.length > AT_MOST) {
    const says = `${jobs.length} free locks have a state; the first ${AT_MOST} were read`;
    findings.push({ check: 'jobs', level: 'note', says });
  }
  if (findings.length > 0) return findings;
  const says =
    known === 0 ? 'no job to read: none is free' : `${known} of the free jobs read, none done ahead of time`;
  return [{ check: 'jobs', level: 'ok', says }];
}
