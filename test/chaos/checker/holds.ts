import type { HistoryEvent, HistoryEventOf } from '../history.ts';
import type { Ending, Hold, Span } from './types.ts';

/** A process that is being stopped may finish the line that it is writing. */
const LAST_WORDS_US = 50_000;

/** The line of an answer and that of what it led to are written one after the other. */
const ANSWER_US = 20_000;

interface Problem {
  readonly event: HistoryEvent;
  readonly what: string;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

/** What a history says about leases. `problems` are things that no process can have done in this order. */
export interface Holds {
  /** In order of their grants. */
  readonly holds: readonly Hold[];
  readonly standstills: ReadonlyMap<string, readonly Span[]>;
  readonly problems: readonly Problem[];
}

export function collectHolds(events: readonly HistoryEvent[]): Holds {
  const standstills = collectStandstills(events);
  const lastWords = collectLastWords(events);
  const holds: Mutable<Hold>[] = [];
  const problems: Problem[] = [];
  const open = new Map<string, Mutable<Hold>>();
  const acquiring = new Map<string, number>();
  const released = new Map<string, string>();

  const end = (hold: Mutable<Hold>, endedAt: number, ending: Ending): void => {
    open.delete(`${hold.who} ${hold.lock}`);
    Object.assign(hold, { endedAt, ending });
  };
  const endAll = (who: string, at: number, ending: Ending): void => {
    for (const hold of [...open.values()]) {
      if (hold.who === who) end(hold, at, ending);
    }
  };

  for (const event of withLastWords(events, lastWords)) {
    switch (event.type) {
      case 'acquiring':
        acquiring.set(`${event.who} ${event.lock}`, event.at);
        break;
      case 'granted': {
        const { who, lock, at: grantedAt } = event;
        const key = `${who} ${lock}`;
        const acquiringAt = acquiring.get(key);
        if (acquiringAt === undefined) problems.push({ event, what: 'granted without an acquire' });
        if (open.has(key)) problems.push({ event, what: 'granted again before the last hold ended' });
        const hold: Mutable<Hold> = {
          who,
          lock,
          fence: BigInt(event.fence),
          acquiringAt: acquiringAt ?? grantedAt,
          grantedAt,
          endedAt: Number.POSITIVE_INFINITY,
          ending: 'none',
          beliefs: [],
          steps: [],
          proofs: [],
        };
        holds.push(hold);
        open.set(key, hold);
        break;
      }
      case 'believed':
      case 'filed':
      case 'proven':
      case 'releasing':
      case 'lost': {
        const hold = open.get(`${event.who} ${event.lock}`);
        // The release of a lease that had run out while the process stood still: it learns of it now.
        if (
          event.type === 'lost' &&
          hold === undefined &&
          released.get(`${event.who} ${event.lock}`) === event.fence
        )
          break;
        if (hold === undefined || hold.fence !== BigInt(event.fence)) {
          problems.push({ event, what: `${event.type} without holding` });
          break;
        }
        if (event.type === 'believed' || event.type === 'filed') hold.steps.push(event);
        else if (event.type === 'proven') hold.proofs.push(event);
        else end(hold, event.at, event.type);
        // The answer by which it learned that it had been superseded is no proof.
        if (event.type === 'lost' && event.reason === 'superseded') dropAnswer(hold.proofs, event.at);
        if (event.type === 'releasing') released.set(`${event.who} ${event.lock}`, event.fence);
        break;
      }
      case 'killed':
        endAll(event.who, event.at, 'killed');
        break;
      case 'crashed':
        if (event.error.startsWith('ended with')) endAll(event.who, event.at, 'ended');
        break;
      case 'stopped':
        endAll(event.who, event.at, 'stopped');
    }
  }
  // Nothing is known of them after the last thing they did.
  for (const hold of holds) {
    if (hold.ending === 'none') hold.endedAt = hold.steps.at(-1)?.at ?? hold.grantedAt;
  }
  for (const hold of holds) hold.beliefs = beliefsOf(hold, standstills.get(hold.who) ?? []);
  return { holds, standstills, problems: [...problems, ...impossibleWords(events, standstills)] };
}

function dropAnswer(proofs: HistoryEventOf<'proven'>[], lostAt: number): void {
  const last = proofs.at(-1);
  if (last !== undefined && last.at > lostAt - ANSWER_US) proofs.pop();
}

/** A hold without the standstills: after one, belief begins again when the process has made sure. */
function beliefsOf(hold: Hold, standstills: readonly Span[]): Span[] {
  const beliefs: Span[] = [];
  let from: number | undefined = hold.grantedAt;
  for (const still of standstills) {
    if (still.to <= hold.grantedAt || still.from >= hold.endedAt) continue;
    const asleep = Math.max(still.from, lastStepBefore(hold, still));
    if (from !== undefined && asleep > from) beliefs.push({ from, to: asleep });
    from = hold.steps.find(({ type, at }) => type === 'believed' && at >= still.to)?.at;
  }
  if (from !== undefined && hold.endedAt > from) beliefs.push({ from, to: hold.endedAt });
  return beliefs;
}

function lastStepBefore({ steps }: Hold, still: Span): number {
  return steps.findLast(({ at }) => at >= still.from && at <= still.from + LAST_WORDS_US)?.at ?? still.from;
}

function collectStandstills(events: readonly HistoryEvent[]): Map<string, Span[]> {
  const standstills = new Map<string, Span[]>();
  const since = new Map<string, number>();
  for (const event of events) {
    if (event.type === 'frozen') since.set(event.who, event.at);
    if (event.type !== 'continued' && event.type !== 'killed') continue;
    const from = since.get(event.who);
    since.delete(event.who);
    if (from === undefined) continue;
    standstills.set(event.who, [...(standstills.get(event.who) ?? []), { from, to: event.at }]);
  }
  for (const [who, from] of since) {
    standstills.set(who, [...(standstills.get(who) ?? []), { from, to: Number.POSITIVE_INFINITY }]);
  }
  return standstills;
}

/** Its parent looks at the clock and then kills: what the process wrote in between comes before its death. */
function withLastWords(
  events: readonly HistoryEvent[],
  lastWords: ReadonlyMap<string, number>,
): readonly HistoryEvent[] {
  const isEarly = (event: HistoryEvent) => event.type === 'killed' && wordsAfter(event, lastWords) > 0;
  if (!events.some(isEarly)) return events;
  return events
    .map((event) => (isEarly(event) ? { ...event, at: event.at + wordsAfter(event, lastWords) } : event))
    .sort((one, other) => one.at - other.at || Number(isDeath(one)) - Number(isDeath(other)));
}

const isDeath = ({ type }: HistoryEvent) => type === 'killed';

/** By how much its last word came after its death, if that is no more than a moment. */
function wordsAfter(event: HistoryEvent, lastWords: ReadonlyMap<string, number>): number {
  if (event.type !== 'killed') return 0;
  const after = (lastWords.get(event.who) ?? 0) - event.at;
  return after <= LAST_WORDS_US ? after : 0;
}

type WorkerEvent = HistoryEventOf<
  'started' | 'acquiring' | 'granted' | 'believed' | 'proven' | 'lost' | 'filed'
>;

/** The last sign of life of each process: it may have been killed a moment after its parent looked at the clock. */
function collectLastWords(events: readonly HistoryEvent[]): Map<string, number> {
  const last = new Map<string, number>();
  for (const event of events) if (isOwnWord(event)) last.set(event.who, event.at);
  return last;
}

const NOT_OWN = new Set(['killed', 'frozen', 'continued', 'crashed']);

function isOwnWord(event: HistoryEvent): event is WorkerEvent {
  return 'who' in event && !NOT_OWN.has(event.type);
}

function impossibleWords(
  events: readonly HistoryEvent[],
  standstills: ReadonlyMap<string, readonly Span[]>,
): Problem[] {
  const deaths = new Map<string, number>();
  for (const event of events) if (event.type === 'killed') deaths.set(event.who, event.at + LAST_WORDS_US);
  return events.flatMap((event) => {
    if (!isOwnWord(event)) return [];
    if (event.at > (deaths.get(event.who) ?? event.at))
      return [{ event, what: 'a process did something when it was dead' }];
    const still = standstills
      .get(event.who)
      ?.find(({ from, to }) => event.at > from + LAST_WORDS_US && event.at < to);
    return still === undefined ? [] : [{ event, what: 'a process that stood still did something' }];
  });
}
