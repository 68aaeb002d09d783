import type { ChannelBudget } from './channel-budget.ts';
import type { Consumer } from './consumer.ts';
import type { CheckedLink } from './dialer.ts';
import type { KeeperEvents, LinkKeeper } from './link-keeper.ts';
import type { BrokerTraits } from './port.ts';
import { SpareChannels } from './spare-channels.ts';

/** One lock connection and, while it is up, its spare channels. */
interface Lane {
  readonly keeper: LinkKeeper;
  spares: SpareChannels | undefined;
  traits: BrokerTraits | undefined;
}

/** What the lanes answer themselves; the rest of a keeper's events are the session's. */
export type LaneEvents = Pick<KeeperEvents, 'up' | 'lost' | 'released'>;

/** Lock connections that share one line of contenders. Another one is opened when all their channels are in use. */
export class Lanes {
  readonly #makeKeeper: (events: LaneEvents) => LinkKeeper;
  readonly #budget: ChannelBudget;
  readonly #lanes: Lane[] = [];
  /** Contenders that have no channel yet, in order. */
  readonly #waiting = new Set<Consumer>();
  readonly #all = new Set<Consumer>();
  #closing = false;

  /** Without a first link, it dials one. */
  constructor(makeKeeper: (events: LaneEvents) => LinkKeeper, budget: ChannelBudget, first?: CheckedLink) {
    this.#makeKeeper = makeKeeper;
    this.#budget = budget;
    const { keeper } = this.#addLane();
    if (first === undefined) keeper.start();
    else keeper.adopt(first);
  }

  get keepers(): readonly LinkKeeper[] {
    return this.#lanes.map((lane) => lane.keeper);
  }

  /** Contenders that wait for a channel or have one. */
  get size(): number {
    return this.#all.size;
  }

  /** Whether one of them comes for this queue. */
  serve(queue: string): boolean {
    return [...this.#all].some((consumer) => consumer.queue === queue);
  }

  add(consumer: Consumer): void {
    this.#all.add(consumer);
    this.#waiting.add(consumer);
    this.attach();
    if (this.#waiting.has(consumer)) for (const lane of this.#lanes) lane.spares?.missed();
  }

  remove(consumer: Consumer): void {
    this.#waiting.delete(consumer);
    this.#all.delete(consumer);
  }

  /** Every consumer falls silent now and is told of its end when the connections are gone. */
  async close(timeoutMs: number): Promise<void> {
    this.#closing = true;
    for (const consumer of this.#all) consumer.mute();
    await Promise.all(this.keepers.map((keeper) => keeper.close(timeoutMs)));
    for (const consumer of [...this.#all]) consumer.end({ scope: 'connection' });
  }

  #addLane(): Lane {
    const lane: Lane = {
      keeper: this.#makeKeeper({
        up: (link, traits) => {
          lane.spares = new SpareChannels(link, this.#budget, () => this.attach());
          lane.traits = traits;
          this.attach();
        },
        lost: () => {
          lane.spares = undefined;
          this.attach();
        },
        released: () => this.attach(),
      }),
      spares: undefined,
      traits: undefined,
    };
    this.#lanes.push(lane);
    return lane;
  }

  /** Gives channels to those who wait, as far as there are any. */
  attach(): void {
    if (this.#closing) return;
    for (const { spares, traits } of this.#lanes) {
      if (spares === undefined || traits === undefined) continue;
      for (const consumer of this.#waiting) {
        const channel = spares.take();
        if (channel === undefined) break;
        this.#waiting.delete(consumer);
        consumer.attach(channel, traits);
      }
    }
    const need = { isAtStake: this.#all.size > this.#waiting.size };
    let unserved = this.#waiting.size;
    for (const { spares } of this.#lanes) unserved -= spares?.fill(unserved, need) ?? 0;
    if (need.isAtStake) this.#budget.lookAhead();
    if (unserved === 0) this.#budget.suffice();
    else if (this.#budget.room(need) <= 0) this.#budget.miss(unserved);
    // While a connection is being made, it may be the one that has room.
    else if (this.#lanes.every(({ spares }) => spares?.hasNumber === false)) this.#addLane().keeper.start();
  }
}
