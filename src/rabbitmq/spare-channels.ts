import { performance } from 'node:perf_hooks';
import type { ConnectionChannel } from './channel.ts';
import type { ChannelBudget, Need } from './channel-budget.ts';
import type { Connection } from './connection.ts';
import { lineFault } from './error-translation.ts';

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
