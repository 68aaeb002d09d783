import { calmGrantMs } from '../judgement.ts';
import type { RunRecord } from '../record.ts';
import type { Violation } from '../types.ts';

/** When the faults are over every lock is granted again, and nobody waits without end. */
export function checkLiveness(record: RunRecord): Violation[] {
  const { calmAt, endAt } = record;
  if (calmAt === undefined)
    return [record.violation('history', endAt, undefined, 'the faults of this run never ended')];
  return [...checkGrants(record, calmAt), ...checkWaiters(record, calmAt), ...checkEndings(record)];
}

/** How long after `calm` each lock was granted first, in milliseconds. */
export function calmGrants({ plan, byLock, calmAt = 0 }: RunRecord): Map<string, number | undefined> {
  return new Map(
    plan.locks.map((lock) => {
      const first = byLock.get(lock)?.find(({ grantedAt }) => grantedAt > calmAt);
      return [lock, first && (first.grantedAt - calmAt) / 1_000];
    }),
  );
}

function checkGrants(record: RunRecord, calmAt: number): Violation[] {
  const limitMs = calmGrantMs(record.plan);
  return [...calmGrants(record)].flatMap(([lock, ms]) => {
    if (ms !== undefined && ms <= limitMs) return [];
    const when = ms === undefined ? 'was not granted again' : `was granted only ${ms.toFixed(0)} ms later`;
    return [record.violation('liveness', calmAt, lock, `when the faults were over, ${lock} ${when}`)];
  });
}

/** Who waits while others are granted for longer than a lock needs to come back has been forgotten. */
function checkWaiters(record: RunRecord, calmAt: number): Violation[] {
  const limitUs = calmGrantMs(record.plan) * 1_000;
  const waiting = new Map<string, { who: string; lock: string; since: number }>();
  const forgotten: Violation[] = [];
  const judge = ({ who, lock, since }: { who: string; lock: string; since: number }, until: number) => {
    if (until - Math.max(since, calmAt) <= limitUs) return;
    const what = `${who} waited for ${((until - since) / 1_000_000).toFixed(1)} s, long after the faults were over`;
    forgotten.push(record.violation('waiter-forgotten', since, lock, what));
  };
  for (const event of record.events) {
    if (event.type === 'acquiring') {
      waiting.set(`${event.who} ${event.lock}`, { who: event.who, lock: event.lock, since: event.at });
    } else if (event.type === 'granted' || event.type === 'refused') {
      const wait = waiting.get(`${event.who} ${event.lock}`);
      waiting.delete(`${event.who} ${event.lock}`);
      if (wait !== undefined) judge(wait, event.at);
    } else if (event.type === 'killed' || event.type === 'crashed' || event.type === 'stopped') {
      for (const [key, wait] of waiting) {
        if (wait.who !== event.who) continue;
        waiting.delete(key);
        judge(wait, event.at);
      }
    }
  }
  return forgotten;
}

function checkEndings(record: RunRecord): Violation[] {
  return record.holds
    .filter(({ ending }) => ending === 'none')
    .map(({ who, lock, fence, grantedAt }) =>
      record.violation('no-end', grantedAt, lock, `the lease of ${who} (fence ${fence}) never ended`),
    );
}
