import type { HistoryEvent, HistoryEventOf } from '../history.ts';
import type { Plan } from './types.ts';

type Body<E> = E extends HistoryEvent ? Omit<E, 'at'> : never;

export interface Use {
  /** Milliseconds, as all times of a story. */
  readonly from: number;
  readonly to: number;
  /** How it ends; `open`: it does not. */
  readonly ending?: 'release' | 'lost' | 'killed' | 'open';
  readonly acquiring?: number;
  /** Adds to both sets at half time, or at these times. */
  readonly writes?: readonly number[];
}

const VERIFY_MS = 500;

/** Writes histories by hand, for the tests of the checker. */
export class Story {
  readonly plan: Plan;
  events: HistoryEvent[] = [];
  #elements = 0;

  constructor(plan: Partial<Plan> = {}) {
    this.plan = {
      at: 0,
      type: 'plan',
      version: '4.3.6',
      site: 'single',
      build: 'baton',
      grant: 'verified',
      seed: 1,
      minutes: 1,
      workers: 2,
      locks: ['a'],
      leaseMs: 3_000,
      verifyEveryMs: VERIFY_MS,
      healAfterMs: 2_000,
      heartbeatMs: 2_000,
      ...plan,
    };
    this.events.push(this.plan);
  }

  tell(ms: number, event: Body<HistoryEvent>): this {
    this.events.push({ at: Math.round(ms * 1_000), ...event } as HistoryEvent);
    return this;
  }

  /** A lease with all that belongs to it: verified at its grant and every half second. */
  hold(
    who: string,
    fence: number,
    { from, to, ending = 'release', acquiring, writes }: Use,
    lock = 'a',
  ): this {
    const about = { who, lock, fence: String(fence) };
    this.tell(acquiring ?? from - 3, { type: 'acquiring', who, lock });
    this.tell(from, { type: 'granted', ...about });
    this.tell(from, { type: 'proven', ...about, sentAt: Math.round((from - 1) * 1_000) });
    for (let at = from + VERIFY_MS; at < to; at += VERIFY_MS) {
      this.tell(at + 1, { type: 'proven', ...about, sentAt: Math.round(at * 1_000) });
    }
    for (const at of writes ?? [(from + to) / 2]) this.write(who, fence, at, lock);
    if (ending === 'release') {
      this.tell(to, { type: 'releasing', ...about });
      this.tell(to + 1, { type: 'released', ...about });
    } else if (ending === 'lost') {
      this.tell(to, { type: 'lost', ...about, reason: 'connection-closed' });
    } else if (ending === 'killed') {
      this.tell(to, { type: 'killed', who });
    }
    return this;
  }

  /** One addition to both sets: read, and write 2 ms later. */
  write(who: string, fence: number, at: number, lock = 'a'): this {
    const about = { who, lock, fence: String(fence) };
    this.#elements += 1;
    this.tell(at - 2, { type: 'believed', ...about });
    this.tell(at, { type: 'believed', ...about });
    this.tell(at, { type: 'filed', ...about, element: `f${this.#elements}` });
    return this.tell(at + 1, {
      type: 'stored',
      ...about,
      element: `s${this.#elements}`,
      outcome: 'accepted',
    });
  }

  strike(
    id: number,
    fault: string,
    from: number,
    to: number,
    rest: Partial<HistoryEventOf<'struck'>> = {},
  ): this {
    this.tell(from, { type: 'struck', id, fault, hit: [], ...rest });
    return this.tell(to, { type: 'healed', id, fault });
  }

  /** Calm, one more grant of each lock, and what is left: as it is when all went well. */
  end(ms: number, fence = 1_000_000): this {
    this.tell(ms, { type: 'calm' });
    for (const lock of this.plan.locks) this.hold('last-1', fence, { from: ms + 10, to: ms + 20 }, lock);
    this.tell(ms + 50, { type: 'stopped', who: 'last-1' });
    const writes = (type: 'filed' | 'stored') =>
      [...this.events].sort((one, other) => one.at - other.at).filter((event) => event.type === type);
    for (const lock of new Set([...this.plan.locks, ...this.#locks()])) {
      const filed = writes('filed').filter((event) => 'lock' in event && event.lock === lock);
      const stored = writes('stored').filter((event) => 'lock' in event && event.lock === lock);
      const audit = (stored as HistoryEventOf<'stored'>[])
        .filter(({ outcome }) => outcome === 'accepted')
        .map(({ fence: by, element }) => ({ fence: by, element }));
      const elements = (filed as HistoryEventOf<'filed'>[]).map(({ element }) => element);
      this.tell(ms + 60, { type: 'files', lock, elements });
      this.tell(ms + 60, { type: 'store', lock, elements: audit.map(({ element }) => element), audit });
      this.tell(ms + 60, { type: 'left', lock, tokens: 1, foreignMessages: 0, returns: [7] });
    }
    return this;
  }

  /** Changes every event of a type; one for which nothing is returned is taken out. */
  change<T extends HistoryEvent['type']>(
    type: T,
    edit: (event: HistoryEventOf<T>, index: number) => HistoryEvent | undefined,
  ): this {
    let index = -1;
    this.events = this.events.flatMap((event) => {
      if (event.type !== type) return [event];
      index += 1;
      return edit(event as HistoryEventOf<T>, index) ?? [];
    });
    return this;
  }

  history(): { events: HistoryEvent[]; bad: [] } {
    return { events: [...this.events].sort((one, other) => one.at - other.at), bad: [] };
  }

  #locks(): string[] {
    return this.events.flatMap((event) => (event.type === 'granted' ? [event.lock] : []));
  }
}
