import { hostname } from 'node:os';
import type { SessionState } from '../../index.ts';
import { parseConnectOptions } from '../../options.ts';
import { lockPlace } from '../../protocol/topology.ts';
import { readConsumers } from '../locks/consumers.ts';
import { holderOf } from '../locks/report.ts';
import { personText, sinceText } from '../locks/text.ts';
import { openManagement } from '../management/open.ts';
import { say } from '../talk.ts';
import type { RunOrder } from './order.ts';

/** A wait that is over sooner is nothing to tell. */
const FIRST_AFTER_MS = 2_000;
/** How soon what changed is told at the soonest. The management API shows a newcomer after up to 5 s. */
const SOONEST_MS = 5_000;
/** How often the management API is asked who holds the lock now: it lists all consumers of the virtual host for that. */
const ASK_EVERY_MS = 30_000;

/** What `coordinator` tells of the session with the broker. */
interface Watched {
  readonly state: SessionState;
  on(event: 'state', listener: () => void): unknown;
}

/** A line for people, and what must change before there is another one. */
interface News {
  readonly text: string;
  readonly key: string;
}

/**
 * Says on stderr what `baton run` waits for, after two seconds and when that changes. Nothing waits for it, and what
 * it cannot find out it does not say.
 */
export class WaitingTalk implements Disposable {
  readonly #lock: string;
  readonly #holder: () => Promise<News>;
  #session: Watched | undefined;
  #said: string | undefined;
  #dueAt = performance.now() + FIRST_AFTER_MS;
  #soonestAt = this.#dueAt;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  /** @param holder what is known of the holder, while the broker is there */
  constructor(lock: string, holder: () => Promise<News>) {
    this.#lock = lock;
    this.#holder = holder;
    this.#schedule();
  }

  /** The broker was reached. */
  watch(session: Watched): void {
    this.#session = session;
    session.on('state', () => {
      this.#dueAt = this.#soonestAt;
      this.#schedule();
    });
  }

  /** The wait is over. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#isOver) return;
    this.#timer = setTimeout(() => void this.#look(), Math.max(0, this.#dueAt - performance.now()));
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const at = performance.now();
    const isFirst = this.#said === undefined;
    this.#soonestAt = at + SOONEST_MS;
    this.#dueAt = isFirst ? this.#soonestAt : at + ASK_EVERY_MS;
    this.#schedule();
    const state = this.#session?.state ?? 'connecting';
    const { text, key } = state === 'open' ? await this.#holder().catch(() => UNKNOWN) : newsOf(state);
    if (this.#isOver || key === this.#said || state !== (this.#session?.state ?? 'connecting')) return;
    this.#said = key;
    say(`waiting for lock ${JSON.stringify(this.#lock)}: ${text}`);
  }
}

const UNKNOWN: News = { text: 'who holds it is not known', key: 'unknown' };

function newsOf(state: Exclude<SessionState, 'open'>): News {
  const text = {
    connecting: 'no broker has answered yet',
    reconnecting: 'the connection to the broker is lost; connecting again',
    blocked: 'the broker has an alarm, memory or disk, and takes no messages until that is over',
    closed: 'the session with the broker is closed',
  }[state];
  return { text, key: state };
}

/** Asks the management API who holds the lock. Rejects when that does not answer. */
export function askWhoHolds({ lock, connection, managementUrl }: RunOrder): () => Promise<News> {
  const settings = parseConnectOptions(connection.options);
  const { namespace, slots } = settings;
  const { queue } = lockPlace(namespace, lock, slots);
  return async () => {
    const { management } = await openManagement(connection.urls, settings, managementUrl);
    const { contestants, notices } = await readConsumers(management, namespace);
    const active = contestants.find((it) => it.queue === queue && it.active);
    if (active === undefined) return UNKNOWN;
    const { claim, tag } = active;
    if (claim?.pid === process.pid && claim.host === hostname()) {
      return { text: 'this process is the next', key: 'next' };
    }
    const holder = holderOf(active, notices);
    return { text: `${personText(holder, { queue })} holds it since ${sinceText(holder)}`, key: tag };
  };
}
