import { ClosedError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { Consumer } from './consumer.ts';
import type { CheckedLink } from './dialer.ts';
import type { KeeperEvents, LinkKeeper } from './link-keeper.ts';
import type { BrokerTraits, ConsumerChannel, ConsumerListener } from './port.ts';
import { SpareChannels } from './spare-channels.ts';

/** One lock connection and, while it is up, its spare channels. */
interface Lane {
  readonly keeper: LinkKeeper;
  spares: SpareChannels | undefined;
  traits: BrokerTraits | undefined;
}

/** What the pool answers itself; the rest of a keeper's events are the session's. */
type LaneEvents = Pick<KeeperEvents, 'up' | 'lost' | 'released'>;

/**
 * The lock connections: consumers only, so that the broker never blocks them and never stops watching their
 * heartbeat (seen under alarms). Another one is opened when all channel numbers of those there are in use.
 */
export class LockPool {
  readonly #logger: Logger;
  readonly #makeKeeper: (events: LaneEvents) => LinkKeeper;
  readonly #lanes: Lane[] = [];
  /** Contenders that have no channel yet, in order. */
  readonly #waiting = new Set<Consumer>();
  readonly #all = new Set<Consumer>();
  #closing = false;

  constructor(first: CheckedLink, logger: Logger, makeKeeper: (events: LaneEvents) => LinkKeeper) {
    this.#logger = logger;
    this.#makeKeeper = makeKeeper;
    this.#addLane().keeper.adopt(first);
  }

  get keepers(): readonly LinkKeeper[] {
    return this.#lanes.map((lane) => lane.keeper);
  }

  consume(queue: string, consumerTag: string, listener: ConsumerListener): ConsumerChannel {
    const consumer = new Consumer(queue, consumerTag, listener, {
      done: (gone) => {
        this.#waiting.delete(gone);
        this.#all.delete(gone);
      },
      threw: (error) => this.#logger.error({ err: error, queue }, 'a listener of a contender threw'),
    });
    if (this.#closing) {
      const error = new ClosedError('The session with the broker is closed');
      queueMicrotask(() => consumer.end({ scope: 'connection', error }));
      return consumer;
    }
    this.#all.add(consumer);
    this.#waiting.add(consumer);
    this.#serve();
    if (this.#waiting.has(consumer)) for (const lane of this.#lanes) lane.spares?.missed();
    return consumer;
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
          lane.spares = new SpareChannels(link, () => this.#serve());
          lane.traits = traits;
          this.#serve();
        },
        lost: () => {
          lane.spares = undefined;
          this.#serve();
        },
        released: () => this.#serve(),
      }),
      spares: undefined,
      traits: undefined,
    };
    this.#lanes.push(lane);
    return lane;
  }

  #serve(): void {
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
    let unserved = this.#waiting.size;
    for (const { spares } of this.#lanes) unserved -= spares?.fill(unserved) ?? 0;
    // While a connection is being made, it may be the one that has room.
    const allUp = this.#lanes.every((lane) => lane.spares !== undefined);
    if (unserved > 0 && allUp) this.#addLane().keeper.start();
  }
}
