import { type BatonError, ClosedError } from '../errors.ts';
import type { ConnectionChannel } from './channel.ts';
import type { ChannelBudget } from './channel-budget.ts';
import type { Connection } from './connection.ts';
import type { ReconnectingConnection } from './reconnecting-connection.ts';

const MOST_AT_ONCE = 8;

interface Entry<C> {
  readonly connection: Connection;
  readonly channel: C;
}

/**
 * Channels for one call at a time each: a 403, 404, 405 or 406 closes the channel that it answers, and would take
 * every other call on it along. At most 8 at once, or as many as the connection allows; other calls wait. One for a user
 * whose limit of channels has shown.
 */
export class ChannelPool<C extends ConnectionChannel> {
  readonly #reconnecting: ReconnectingConnection;
  readonly #budget: ChannelBudget;
  readonly #open: (connection: Connection) => Promise<C>;
  #idle: Entry<C>[] = [];
  #active = 0;
  #waiting: (() => void)[] = [];

  constructor(
    reconnecting: ReconnectingConnection,
    budget: ChannelBudget,
    open: (connection: Connection) => Promise<C>,
  ) {
    this.#reconnecting = reconnecting;
    this.#budget = budget;
    this.#open = open;
  }

  /**
   * Runs one call, waiting for a connection while there is none. Rejects with the connection's error when that
   * dies under the call, and with whatever the work rejects with otherwise.
   */
  async run<T>(work: (channel: C) => Promise<T>): Promise<T> {
    for (;;) {
      // How many channels there may be is known once there is a connection; another one may have shown that it is fewer.
      await this.#reconnecting.current();
      while (this.#active >= this.#limit()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      this.#active += 1;
      try {
        const entry = await this.#take();
        if (entry !== undefined) return await this.#runOn(entry, work);
      } finally {
        this.#active -= 1;
        this.#waiting.shift()?.();
      }
    }
  }

  /** Closes idle channels when there may be fewer of them than there are. */
  trim(): void {
    while (this.#idle.length > this.#limit()) this.#idle.pop()?.channel.close();
  }

  async #runOn<T>({ connection, channel }: Entry<C>, work: (channel: C) => Promise<T>): Promise<T> {
    try {
      return await work(channel);
    } catch (error) {
      throw channel.end?.scope === 'connection' ? lostUnder(channel.end.error) : error;
    } finally {
      // A channel that erred is gone; so is everything that idled on a connection before.
      this.#idle = this.#idle.filter((entry) => entry.channel.end === undefined);
      if (channel.end === undefined) this.#idle.push({ connection, channel });
      this.trim();
    }
  }

  /** Undefined when the connection died: nothing was asked yet, so another one is waited for like at first. */
  async #take(): Promise<Entry<C> | undefined> {
    const connection = await this.#reconnecting.current();
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.channel.end === undefined) return idle;
    }
    await this.#budget.settled();
    try {
      return { connection, channel: await this.#open(connection) };
    } catch (error) {
      if (!connection.ended) throw error;
      return undefined;
    }
  }

  #limit(): number {
    if (this.#budget.limit !== undefined) return 1;
    return Math.max(1, Math.min(MOST_AT_ONCE, this.#reconnecting.open?.dialled.channelMax ?? MOST_AT_ONCE));
  }
}

const lostUnder = (error: BatonError | undefined): BatonError =>
  error === undefined ? new ClosedError('The session with the broker was closed under the call') : error;
