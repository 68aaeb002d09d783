import type { HistoryEvent, HistoryEventOf } from '../history.ts';
import { groupBy } from './group-by.ts';
import { collectHolds, type Holds } from './holds.ts';
import { MENDING } from './judgement.ts';
import type { Hold, Plan, RuleName, Span, Strike, Violation } from './types.ts';

const AROUND_US = 30_000;
const AROUND_EVENTS = 24;

/** A history with its events put in relation, which the rules look at. */
export interface RunRecord extends Holds {
  readonly plan: Plan;
  readonly events: readonly HistoryEvent[];
  /** In order of their beginnings. */
  readonly strikes: readonly Strike[];
  /** What was done about queues with members of another history, in the shape of strikes. */
  readonly mendings: readonly Strike[];
  readonly calmAt: number | undefined;
  readonly endAt: number;
  /** The holds of each lock, in order of their grants. */
  readonly byLock: ReadonlyMap<string, readonly Hold[]>;
  /** Every name that was granted or is in the plan. */
  readonly locks: readonly string[];
  ofType<T extends HistoryEvent['type']>(type: T): HistoryEventOf<T>[];
  violation(rule: RuleName, at: number, lock: string | undefined, what: string, span?: Span): Violation;
}

export function makeRecord(plan: Plan, events: readonly HistoryEvent[]): RunRecord {
  const collected = collectHolds(events);
  const types = groupBy(events, ({ type }) => type);
  const ofType = <T extends HistoryEvent['type']>(type: T) => (types.get(type) ?? []) as HistoryEventOf<T>[];
  const healed = new Map(ofType('healed').map(({ id, at }) => [id, at]));
  const strikes = ofType('struck').map((event) => ({
    id: event.id,
    fault: event.fault,
    event,
    from: event.at,
    to: healed.get(event.id) ?? Number.POSITIVE_INFINITY,
  }));
  const mendings = ofType('mended').map(({ at, since }, index) => ({
    id: index + 1,
    fault: MENDING,
    event: { at: since, type: 'struck' as const, id: index + 1, fault: MENDING, hit: [] },
    from: since,
    to: at,
  }));
  const byLock = groupBy(collected.holds, ({ lock }) => lock);
  return {
    ...collected,
    plan,
    events,
    strikes,
    mendings,
    calmAt: ofType('calm')[0]?.at,
    endAt: events.at(-1)?.at ?? 0,
    byLock,
    locks: [...new Set([...plan.locks, ...byLock.keys()])],
    ofType,
    violation: (rule, at, lock, what, span = { from: at, to: at }) => ({
      rule,
      at,
      ...(lock !== undefined && { lock }),
      what,
      around: around(events, lock, span),
    }),
  };
}

/** The events of that lock, and those of nobody's lock, near a span. */
function around(
  events: readonly HistoryEvent[],
  lock: string | undefined,
  { from, to }: Span,
): HistoryEvent[] {
  const first = indexAt(events, from - AROUND_US);
  const found: HistoryEvent[] = [];
  for (let index = first; index < events.length && found.length < AROUND_EVENTS; index += 1) {
    const event = events[index];
    if (event === undefined || event.at > to + AROUND_US) break;
    if (event.type === 'files' || event.type === 'store' || event.type === 'plan') continue;
    if (!('lock' in event) || lock === undefined || event.lock === lock) found.push(event);
  }
  return found;
}

/** The first index at or after that time. */
function indexAt(events: readonly HistoryEvent[], at: number): number {
  let [low, high] = [0, events.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((events[middle]?.at ?? 0) < at) low = middle + 1;
    else high = middle;
  }
  return low;
}
