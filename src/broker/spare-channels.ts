import { performance } from 'node:perf_hooks';
import type { LinkChannel } from './channel.ts';
import type { ChannelBudget, Need } from './channel-budget.ts';
import { lineFault } from './faults.ts';
import type { Link } from './link.ts';

const FEWEST = 2;
const MOST = 16;
const QUIET_AFTER_MS = 10_000;

/**
 * Channels of one lock connection that are open and have their prefetch ahead of need, so that a contender's first
 * frame is basic.consume. Two as a rule; more for a while after contenders had to wait for one.
 */
export class SpareChannels {
  readonly #link: Link;
  readonly #budget: ChannelBudget;
  readonly #ready: () => void;
  #spares: LinkChannel[] = [];
  #opening = 0;
  #target = FEWEST;
  #lastMiss = Number.NEGATIVE_INFINITY;

  /** `ready` is called whenever there is one more. */
  constructor(link: Link, budget: ChannelBudget, ready: () => void) {
    this.#link = link;
    this.#budget = budget;
    this.#ready = ready;
  }

  /** A channel that nobody has used, for good; undefined when there is none right now. */
  take(): LinkChannel | undefined {
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
    return this.#link.freeChannels > 0;
  }

  /**
   * Opens what `waiting` contenders and the stock need, as far as the link and the limits of the user allow. Returns how
   * many of them that serves.
   */
  fill(waiting: number, need: Need): number {
    const stock = this.#budget.limit === undefined ? this.#target : 0;
    while (this.#spares.length > stock) this.#spares.shift()?.close();
    const wanted = waiting + stock - this.#spares.length - this.#opening;
    const possible = Math.min(wanted, this.#link.freeChannels, this.#budget.room(need));
    for (let left = possible; left > 0; left -= 1) void this.#openOne();
    return Math.min(waiting, this.#opening);
  }

  async #openOne(): Promise<void> {
    this.#opening += 1;
    try {
      const channel = await this.#link.openChannel();
      await channel.prefetch(1);
      this.#spares.push(channel);
      channel.onEnd(() => {
        this.#spares = this.#spares.filter((spare) => spare !== channel);
      });
    } catch (error) {
      // A live link that opens no channels is of no use; its keeper makes another one, with patience.
      this.#link.destroy(lineFault(error, this.#link.address));
    } finally {
      this.#opening -= 1;
    }
    if (!this.#link.ended) this.#ready();
  }
}
