import type { HistoryEvent } from '../history.ts';
import type { BadLine, History } from './read.ts';
import { makeRecord, type RunRecord } from './record.ts';
import { checkFences, countInversions } from './rules/fences.ts';
import { checkFiles, findMissing, type Missing } from './rules/files.ts';
import { checkHistory } from './rules/history.ts';
import { checkLeases, findLosses, type Loss } from './rules/leases.ts';
import { checkLiveness } from './rules/liveness.ts';
import { checkOverlaps, findOverlaps } from './rules/overlaps.ts';
import { checkStore } from './rules/store.ts';
import { checkTokens, findLeft, type Left } from './rules/tokens.ts';
import type { Hold, Overlap, Plan, Violation } from './types.ts';

/** All that a history shows. It passes when there is no violation. */
export interface Verdict {
  readonly violations: readonly Violation[];
  /** Undefined for a history without a plan, of which nothing else can be said. */
  readonly findings: Findings | undefined;
}

export interface Findings {
  readonly record: RunRecord;
  readonly overlaps: readonly Overlap[];
  /** Grants whose fence is not above that of the grant before. */
  readonly inversions: readonly Hold[];
  readonly missing: readonly Missing[];
  readonly losses: readonly Loss[];
  readonly left: Left;
}

export function check({ events, bad }: History): Verdict {
  const unreadable = bad.map(badLine);
  const plans = events.filter((event): event is Plan => event.type === 'plan');
  const [plan] = plans;
  if (plan === undefined || plans.length > 1) {
    const what = plan === undefined ? 'the history has no plan' : 'these are histories of several runs';
    return { violations: [...unreadable, violation(what, events)], findings: undefined };
  }
  const record = makeRecord(plan, events);
  const overlaps = findOverlaps(record);
  const missing = findMissing(record, overlaps);
  const losses = findLosses(record);
  const left = findLeft(record);
  const inversions = [...record.byLock.values()].flatMap(countInversions);
  const violations = [
    ...unreadable,
    ...checkHistory(record),
    ...checkOverlaps(record, overlaps),
    ...checkFences(record),
    ...checkFiles(record, missing),
    ...checkStore(record),
    ...checkLiveness(record),
    ...checkTokens(record, left),
    ...checkLeases(record, losses),
  ].sort((one, other) => one.at - other.at);
  return { violations, findings: { record, overlaps, inversions, missing, losses, left } };
}

const badLine = ({ file, line, problem }: BadLine): Violation => ({
  rule: 'history',
  at: 0,
  what: `${file}:${line}: ${problem}`,
  around: [],
});

const violation = (what: string, events: readonly HistoryEvent[]): Violation => ({
  rule: 'history',
  at: events[0]?.at ?? 0,
  what,
  around: [],
});
