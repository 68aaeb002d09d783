import type { HistoryEventOf } from '../../history.ts';
import { groupBy } from '../group-by.ts';
import type { RunRecord } from '../record.ts';
import type { Violation } from '../types.ts';

/** Nothing that the store accepted may be lost or reordered, whatever the locks do. */
export function checkStore(record: RunRecord): Violation[] {
  const final = new Map(record.ofType('store').map((event) => [event.lock, event]));
  const stored = groupBy(record.ofType('stored'), ({ lock }) => lock);
  return [...new Set([...stored.keys(), ...final.keys()])].flatMap((lock) => {
    const events = stored.get(lock) ?? [];
    const end = final.get(lock);
    if (end !== undefined) return [...checkAccepted(record, events, end), ...checkAudit(record, end)];
    return events.some(({ outcome }) => outcome === 'accepted')
      ? [
          record.violation(
            'history',
            record.endAt,
            lock,
            'the history does not say what the store holds at the end',
          ),
        ]
      : [];
  });
}

function checkAccepted(
  record: RunRecord,
  events: readonly HistoryEventOf<'stored'>[],
  { lock, elements, audit = [] }: HistoryEventOf<'store'>,
): Violation[] {
  const there = new Set(elements);
  const audited = new Map(audit.map(({ element, fence }) => [element, fence]));
  return events.flatMap(({ at, element, fence, outcome }) => {
    const problem = (what: string) => [record.violation('store-lost', at, lock, `${element} ${what}`)];
    if (outcome === 'refused') return there.has(element) ? problem('was refused and is there') : [];
    if (outcome === 'failed') return [];
    if (!there.has(element)) return problem('was accepted and is gone');
    return audited.get(element) === fence
      ? []
      : problem('was accepted and is not in the audit with its fence');
  });
}

function checkAudit(
  record: RunRecord,
  { lock, elements, audit = [], at }: HistoryEventOf<'store'>,
): Violation[] {
  const there = new Set(elements);
  const violations: Violation[] = [];
  const seen = new Set<string>();
  let highest = -1n;
  for (const { fence, element } of audit) {
    if (!there.has(element) && !seen.has(element)) {
      violations.push(
        record.violation('store-lost', at, lock, `${element} is in the audit and not in the set`),
      );
    }
    if (seen.has(element))
      violations.push(record.violation('store-order', at, lock, `${element} was accepted twice`));
    seen.add(element);
    if (BigInt(fence) < highest) {
      const what = `${element} was accepted with fence ${fence} after fence ${highest}`;
      violations.push(record.violation('store-order', at, lock, what));
    }
    if (BigInt(fence) > highest) highest = BigInt(fence);
  }
  return violations;
}
