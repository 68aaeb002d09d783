import { excuseFence } from '../judgement.ts';
import type { RunRecord } from '../record.ts';
import type { Hold, Violation } from '../types.ts';

/** Grants of a lock whose fence is not above that of the grant before: a figure, since a delivery can be older than its grant. */
export function countInversions(holds: readonly Hold[]): Hold[] {
  return holds.filter((hold, index) => {
    const before = holds[index - 1];
    return before !== undefined && hold.fence <= before.fence;
  });
}

export function checkFences(record: RunRecord): Violation[] {
  return [...record.byLock.values()].flatMap((holds) => [
    ...checkOrder(record, holds),
    ...checkUnique(record, holds),
  ]);
}

/** If one acquire resolved before another's token was delivered, the later fence is greater. */
function checkOrder(record: RunRecord, holds: readonly Hold[]): Violation[] {
  const violations: Violation[] = [];
  const resolved = [...holds];
  const later = holds
    .map((hold) => ({ hold, since: deliveredSince(hold) }))
    .sort((a, b) => a.since - b.since);
  let highest: Hold | undefined;
  let next = 0;
  for (const { hold, since } of later) {
    for (let first = resolved[next]; first !== undefined && first.grantedAt < since; first = resolved[next]) {
      if (highest === undefined || first.fence > highest.fence) highest = first;
      next += 1;
    }
    // The same fence twice is the other rule's.
    if (highest === undefined || highest === hold || hold.fence >= highest.fence) continue;
    if (excuseFence(record.plan, record.strikes, highest, hold) !== undefined) continue;
    const what = `${hold.who} was granted fence ${hold.fence} after ${highest.who} had been granted ${highest.fence}`;
    const span = { from: highest.grantedAt, to: hold.grantedAt };
    violations.push(record.violation('fence-order', hold.grantedAt, hold.lock, what, span));
    // Told once; what follows is compared with this one.
    highest = hold;
  }
  return violations;
}

/**
 * The delivery that brought this hold came at this time or later: a holder asks for proof as soon as it has it. Before it
 * was asked for, it cannot have come; between the two it may have been on its way for any time.
 */
function deliveredSince({ proofs, acquiringAt, grantedAt }: Hold): number {
  const first = proofs[0]?.sentAt ?? Number.POSITIVE_INFINITY;
  return first <= grantedAt ? first : acquiringAt;
}

function checkUnique(record: RunRecord, holds: readonly Hold[]): Violation[] {
  const violations: Violation[] = [];
  const byFence = new Map<bigint, Hold>();
  for (const hold of holds) {
    const first = byFence.get(hold.fence);
    byFence.set(hold.fence, hold);
    if (first === undefined || excuseFence(record.plan, record.strikes, first, hold) !== undefined) continue;
    const what = `fence ${hold.fence} was granted to ${first.who} and again to ${hold.who}`;
    const span = { from: first.grantedAt, to: hold.grantedAt };
    violations.push(record.violation('fence-unique', hold.grantedAt, hold.lock, what, span));
  }
  return violations;
}
