import type { Socket } from 'node:net';
import { ClosedError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { ChannelBudget } from './channel-budget.ts';
import { Consumer } from './consumer.ts';
import type { CheckedLink } from './dialer.ts';
import { type LaneEvents, Lanes } from './lanes.ts';
import type { LinkKeeper } from './link-keeper.ts';
import type { ConsumerChannel, ConsumerListener } from './port.ts';

/** With more suspects than that, some share a connection. */
const MOST_APART = 4;
/** A connection apart stays for so long without contenders, so that it remembers how patient to be. */
const IDLE_MS = 10_000;
const FAREWELL_MS = 200;

type MakeKeeper = (events: LaneEvents) => LinkKeeper;

/**
 * The lock connections: consumers only, so that the broker never blocks them and never stops watching their
 * heartbeat (seen under alarms).
 *
 * A consume can end its connection, and every lease on it: the broker answers 541 when the queue does not run (being
 * deleted, lost with its node, without its majority; seen on 3.10.8 to 4.3.6). 3.10.8 does not say which queue it is. So
 * each lock whose consume was not answered when a connection ended that way is suspect, and tried on a connection apart
 * until it is answered there.
 */
export class LockPool {
  readonly #logger: Logger;
  readonly #makeKeeper: MakeKeeper;
  readonly #budget: ChannelBudget;
  readonly #common: Lanes;
  #apart: Lanes[] = [];
  /** By lock queue: the queue whose consume must be answered, the lock's own or that of its state. */
  readonly #suspects = new Map<string, string>();
  #closing = false;

  constructor(first: CheckedLink, logger: Logger, budget: ChannelBudget, makeKeeper: MakeKeeper) {
    this.#logger = logger;
    this.#makeKeeper = makeKeeper;
    this.#budget = budget;
    this.#common = new Lanes(makeKeeper, budget, first);
  }

  /** Of the connections that healthy locks share: those of suspects come and go, and say nothing about the session. */
  get keepers(): readonly LinkKeeper[] {
    return this.#common.keepers;
  }

  /** Gives channels to those who wait: there may be more of them. */
  attach(): void {
    for (const lanes of [this.#common, ...this.#apart]) lanes.attach();
  }

  get sockets(): readonly Socket[] {
    const keepers = [this.#common, ...this.#apart].flatMap((lanes) => lanes.keepers);
    return keepers.flatMap(({ link }) => (link === undefined ? [] : [link.dialled.socket]));
  }

  consume(queue: string, consumerTag: string, listener: ConsumerListener): ConsumerChannel {
    let lanes: Lanes | undefined;
    const consumer = new Consumer(queue, consumerTag, listener, {
      done: (gone) => {
        lanes?.remove(gone);
        if (lanes?.size === 0 && lanes !== this.#common) this.#leaveSoon(lanes);
      },
      threw: (error) => this.#logger.error({ err: error, queue }, 'a listener of a contender threw'),
      unanswered: (culprit) => this.#suspects.set(queue, culprit),
      answered: (culprit) => {
        if (this.#suspects.get(queue) === culprit) this.#suspects.delete(queue);
      },
    });
    if (this.#closing) {
      const error = new ClosedError('The session with the broker is closed');
      queueMicrotask(() => consumer.end({ scope: 'connection', error }));
      return consumer;
    }
    lanes = this.#suspects.has(queue) ? this.#lanesApart(queue) : this.#common;
    lanes.add(consumer);
    return consumer;
  }

  /** Every consumer falls silent now and is told of its end when the connections are gone. */
  async close(timeoutMs: number): Promise<void> {
    this.#closing = true;
    await Promise.all([this.#common, ...this.#apart].map((lanes) => lanes.close(timeoutMs)));
  }

  #lanesApart(queue: string): Lanes {
    const same = this.#apart.find((lanes) => lanes.serve(queue));
    if (same !== undefined) return same;
    if (this.#apart.length < MOST_APART) {
      const lanes = new Lanes(this.#makeKeeper, this.#budget);
      this.#apart.push(lanes);
      return lanes;
    }
    return this.#apart.reduce((best, lanes) => (lanes.size < best.size ? lanes : best));
  }

  #leaveSoon(lanes: Lanes): void {
    const leave = () => {
      if (this.#closing || lanes.size > 0 || !this.#apart.includes(lanes)) return;
      this.#apart = this.#apart.filter((it) => it !== lanes);
      void lanes.close(FAREWELL_MS);
    };
    setTimeout(leave, IDLE_MS).unref();
  }
}
