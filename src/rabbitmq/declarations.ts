import { setTimeout as delay } from 'node:timers/promises';
import { type BatonError, BrokerUnreachableError, ClosedError, ResourceLimitError } from '../errors.ts';
import type { QueueDepth } from '../protocol/port.ts';
import { lockQueueArguments } from '../protocol/queues.ts';
import type { ConnectionChannel } from './channel.ts';
import type { ChannelBudget } from './channel-budget.ts';
import type { ChannelPool } from './channel-pool.ts';
import { FAREWELL_MS } from './connection.ts';
import type { Dialer } from './dialer.ts';
import { channelFault, isInternalError } from './error-translation.ts';
import { backoffMs } from './timing.ts';

/** Names in quarantine; beyond it the oldest is let out. */
const MOST_IN_QUARANTINE = 1_000;

const EVENTS = { ended() {}, blocked() {}, released() {}, unrenewed() {} };

/**
 * Declares queues, on the service connection. The broker answers 541 (`cluster_not_formed`) when it cannot start a queue:
 * its disk stands still, or the Raft server of an earlier queue of that name is still there (3.10.8 to 4.3.6). The
 * answer ends the connection with every call on it. So a queue whose declaration was not answered when a connection ended
 * that way goes into quarantine: it is declared on a connection of its own, one at a time and later each time, until it is
 * answered there.
 */
export class Declarations {
  readonly #dialer: Dialer;
  readonly #services: ChannelPool<ConnectionChannel>;
  readonly #budget: ChannelBudget;
  /** By queue: how often it has failed in quarantine. */
  readonly #quarantined = new Map<string, number>();
  readonly #abort = new AbortController();
  /** The last declaration in quarantine. */
  #turn: Promise<unknown> = Promise.resolve();
  #limit: BatonError | undefined;

  constructor(dialer: Dialer, services: ChannelPool<ConnectionChannel>, budget: ChannelBudget) {
    this.#dialer = dialer;
    this.#services = services;
    this.#budget = budget;
  }

  /** The limit of queues that the latest declaration met. */
  get limit(): BatonError | undefined {
    return this.#limit;
  }

  async declare(queue: string, idleExpiryMs?: number): Promise<QueueDepth> {
    const work = (channel: ConnectionChannel) => channel.declare(queue, lockQueueArguments(idleExpiryMs));
    try {
      const depth = await (this.#quarantined.has(queue)
        ? this.#declareLater(queue, work)
        : this.#services.run(work));
      this.#quarantined.delete(queue);
      this.#limit = undefined;
      return depth;
    } catch (raw) {
      const error = channelFault(raw, 'declare', queue);
      if (isInternalError(error)) this.#quarantine(queue);
      if (error instanceof ResourceLimitError) this.#limit = error;
      throw error;
    }
  }

  close(): void {
    this.#abort.abort();
  }

  #quarantine(queue: string): void {
    const failures = this.#quarantined.get(queue);
    this.#quarantined.set(queue, failures === undefined ? 0 : failures + 1);
    if (this.#quarantined.size <= MOST_IN_QUARANTINE) return;
    for (const oldest of this.#quarantined.keys()) {
      this.#quarantined.delete(oldest);
      break;
    }
  }

  async #declareLater<T>(queue: string, work: (channel: ConnectionChannel) => Promise<T>): Promise<T> {
    const failures = this.#quarantined.get(queue) ?? 0;
    if (failures > 0) await delay(backoffMs(failures), undefined, { ref: false });
    const result = this.#turn.then(() => this.#declareInQuarantine(queue, work));
    this.#turn = result.catch(() => {});
    return result;
  }

  async #declareInQuarantine<T>(queue: string, work: (channel: ConnectionChannel) => Promise<T>): Promise<T> {
    const { signal } = this.#abort;
    if (signal.aborted) throw new ClosedError('The session with the broker is closed');
    const { connection } = await this.#dialer.dial('declare', signal).catch((cause: unknown) => {
      // There may be no room for another connection: then it is tried among the others again.
      this.#quarantined.delete(queue);
      throw new BrokerUnreachableError('No connection could be opened to declare a queue in quarantine', {
        cause,
      });
    });
    const onClose = () => connection.destroy();
    signal.addEventListener('abort', onClose);
    try {
      connection.attach(EVENTS, this.#budget);
      const channel = await connection.openChannel();
      return await work(channel).catch((error: unknown) => {
        throw channel.end?.scope === 'connection' ? (channel.end.error ?? error) : error;
      });
    } finally {
      signal.removeEventListener('abort', onClose);
      void connection.close(FAREWELL_MS);
    }
  }
}
