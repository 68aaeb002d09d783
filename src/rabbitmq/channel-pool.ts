import { performance } from 'node:perf_hooks';
import { type BatonError, ClosedError } from '../errors.ts';
import type { ConnectionChannel } from './channel.ts';
import type { ChannelBudget, Need } from './channel-budget.ts';
import type { Connection } from './connection.ts';
import { lineFault } from './error-translation.ts';
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

const FEWEST = 2;
const MOST = 16;
const QUIET_AFTER_MS = 10_000;

/**
 * Channels of one lock connection that are open and have their prefetch ahead of need, so that a contender's first
 * frame is basic.consume. Two as a rule; more for a while after contenders had to wait for one.
 */
export class SpareChannels {
  readonly #connection: Connection;
  readonly #budget: ChannelBudget;
  readonly #ready: () => void;
  #spares: ConnectionChannel[] = [];
  #opening = 0;
  #target = FEWEST;
  #lastMiss = Number.NEGATIVE_INFINITY;

  /** `ready` is called whenever there is one more. */
  constructor(connection: Connection, budget: ChannelBudget, ready: () => void) {
    this.#connection = connection;
    this.#budget = budget;
    this.#ready = ready;
  }

  /** A channel that nobody has used, for good; undefined when there is none right now. */
  take(): ConnectionChannel | undefined {
    const channel = this.#spares.shift();
    if (channel !== undefined && performance.now() - this.#lastMiss > QUIET_AFTER_MS) this.#target = FEWEST;
    return channel;
  }

  /** Somebody has to wait: keeps more in stock from now on. */
  missed(): void {
    this.#target = Math.min(MOST, this.#target * 2);
    this.#lastMiss = performance.now();
  }

  /** Whether it has a channel number left. */
  get hasNumber(): boolean {
    return this.#connection.freeChannels > 0;
  }

  /**
   * Opens what `waiting` contenders and the stock need, as far as the connection and the limits of the user allow. Returns how
   * many of them that serves.
   */
  fill(waiting: number, need: Need): number {
    const stock = this.#budget.limit === undefined ? this.#target : 0;
    while (this.#spares.length > stock) this.#spares.shift()?.close();
    const wanted = waiting + stock - this.#spares.length - this.#opening;
    const possible = Math.min(wanted, this.#connection.freeChannels, this.#budget.room(need));
    for (let left = possible; left > 0; left -= 1) void this.#openOne();
    return Math.min(waiting, this.#opening);
  }

  async #openOne(): Promise<void> {
    this.#opening += 1;
    try {
      const channel = await this.#connection.openChannel();
      await channel.prefetch(1);
      this.#spares.push(channel);
      channel.onEnd(() => {
        this.#spares = this.#spares.filter((spare) => spare !== channel);
      });
    } catch (error) {
      // A live connection that opens no channels is of no use; another one is made, with patience.
      this.#connection.destroy(lineFault(error, this.#connection.address));
    } finally {
      this.#opening -= 1;
    }
    if (!this.#connection.ended) this.#ready();
  }
}
