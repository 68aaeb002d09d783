import { CHECK_SLACK_MS, SLACK_MS } from '../judgement.ts';
import type { RunRecord } from '../record.ts';
import type { Hold, Violation } from '../types.ts';

export interface Loss {
  readonly hold: Hold;
  readonly at: number;
  /** From the sending of the last answered verification to the signal; without the time it stood still. */
  readonly sinceProofMs: number;
}

/** The leases that were lost, but for those that were taken away at the end of the run. */
export function findLosses(record: RunRecord): Loss[] {
  const atEnd = new Set(
    record
      .ofType('lost')
      .filter(({ reason }) => reason === 'coordinator-closed')
      .map(({ who, lock, fence }) => `${who} ${lock} ${fence}`),
  );
  return record.holds
    .filter(({ ending, who, lock, fence }) => ending === 'lost' && !atEnd.has(`${who} ${lock} ${fence}`))
    .map((hold) => {
      const at = hold.endedAt;
      return { hold, at, sinceProofMs: (at - lastProof(hold, at) - stoodStill(record, hold, at)) / 1_000 };
    });
}

/** A lease of the product; the naive lock knows of none. */
export function checkLeases(record: RunRecord, losses: readonly Loss[]): Violation[] {
  if (record.plan.build === 'naive') return [];
  return [...checkSignals(record, losses), ...checkBeliefs(record)];
}

/** The signal comes at most `leaseMs` after the last proof was asked for, or as soon as the process runs again. */
function checkSignals(record: RunRecord, losses: readonly Loss[]): Violation[] {
  return losses.flatMap(({ hold, at }) => {
    const { who, lock, fence } = hold;
    const awake = record.standstills.get(who)?.findLast(({ to }) => to <= at)?.to ?? 0;
    const due = Math.max(lastProof(hold, at) + record.plan.leaseMs * 1_000, awake);
    const lateMs = (at - due) / 1_000;
    if (lateMs <= SLACK_MS) return [];
    const what = `${who} (fence ${fence}) was told of its loss ${lateMs.toFixed(0)} ms late`;
    return [record.violation('late-signal', at, lock, what, { from: due, to: at })];
  });
}

/** Anybody who has just made sure has a proof that is younger than `leaseMs`. */
function checkBeliefs(record: RunRecord): Violation[] {
  const limitUs = (record.plan.leaseMs + CHECK_SLACK_MS) * 1_000;
  return record.holds.flatMap((hold) => {
    const stale = hold.steps.find(
      ({ type, at }) => type === 'believed' && at - lastProof(hold, at) > limitUs,
    );
    if (stale === undefined) return [];
    const ms = ((stale.at - lastProof(hold, stale.at)) / 1_000).toFixed(0);
    const what = `${hold.who} (fence ${hold.fence}) believed ${ms} ms after its last proof`;
    return [record.violation('belief-without-proof', stale.at, hold.lock, what)];
  });
}

/** When the last answered verification was sent; before the first the lease runs from the delivery. */
function lastProof({ proofs, grantedAt }: Hold, at: number): number {
  return proofs.findLast((proof) => proof.at <= at)?.sentAt ?? grantedAt;
}

function stoodStill({ standstills }: RunRecord, hold: Hold, at: number): number {
  const since = lastProof(hold, at);
  const spans = standstills.get(hold.who) ?? [];
  return spans.reduce((sum, { from, to }) => sum + Math.max(0, Math.min(to, at) - Math.max(from, since)), 0);
}
