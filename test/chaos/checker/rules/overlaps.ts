import { groupBy } from '../group-by.ts';
import { excuseOverlap } from '../judgement.ts';
import type { RunRecord } from '../record.ts';
import type { Hold, Overlap, Span, Violation } from '../types.ts';

/** Every hold that was still believed in when later ones of the same lock were. */
export function findOverlaps({ plan, strikes, mendings, byLock }: RunRecord): Overlap[] {
  const disturbances = [...mendings, ...strikes];
  const pairs = [...byLock.values()].flatMap(overlappingPairs);
  return [...groupBy(pairs, ({ older }) => older)].map(([older, all]) => {
    const span = {
      from: Math.min(...all.map(({ from }) => from)),
      to: Math.max(...all.map(({ to }) => to)),
    };
    const newer = all.map((pair) => pair.newer);
    const holds = byLock.get(older.lock) ?? [];
    return { ...span, older, newer, allowedBy: excuseOverlap(plan, disturbances, holds, older, newer, span) };
  });
}

export function checkOverlaps(record: RunRecord, overlaps: readonly Overlap[]): Violation[] {
  return overlaps
    .filter(({ allowedBy }) => allowedBy === undefined)
    .map(({ older, newer, from, to }) => {
      const ms = ((to - from) / 1_000).toFixed(1);
      const others = newer.slice(0, 3).map(({ who, fence }) => `${who} (fence ${fence})`);
      const more = newer.length > 3 ? ` and ${newer.length - 3} more` : '';
      const what = `${older.who} (fence ${older.fence}) held for ${ms} ms while ${others.join(', ')}${more} did`;
      return record.violation('mutual-exclusion', from, older.lock, what, { from, to });
    });
}

interface Pair extends Span {
  readonly older: Hold;
  readonly newer: Hold;
}

function overlappingPairs(holds: readonly Hold[]): Pair[] {
  const found: Pair[] = [];
  let open: Hold[] = [];
  for (const newer of holds) {
    open = open.filter(({ beliefs }) => (beliefs.at(-1)?.to ?? 0) > newer.grantedAt);
    for (const older of open) {
      const common = intersect(older.beliefs, newer.beliefs);
      const [first, last] = [common.at(0), common.at(-1)];
      if (first !== undefined && last !== undefined) {
        found.push({ older, newer, from: first.from, to: last.to });
      }
    }
    open.push(newer);
  }
  return found;
}

function intersect(one: readonly Span[], other: readonly Span[]): Span[] {
  return one
    .flatMap((a) => other.map((b) => ({ from: Math.max(a.from, b.from), to: Math.min(a.to, b.to) })))
    .filter(({ from, to }) => to > from);
}
