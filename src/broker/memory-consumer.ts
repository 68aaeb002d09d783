import { type BatonError, BrokerUnreachableError } from '../errors.ts';
import type { Connection } from './memory-connection.ts';
import type { MemoryQueue, Message, QueueConsumer } from './memory-queue.ts';
import type { BrokerTraits, ConsumerListener, QueueDepth } from './port.ts';

export const absentQueue = (queue: string): BrokerUnreachableError =>
  new BrokerUnreachableError(`queue ${queue} is not there; it has to be declared first`);

/** What a channel needs of the broker's node. */
export interface ChannelHost {
  readonly traits: BrokerTraits;
  find(queue: string): MemoryQueue | undefined;
}

/** The broker's end of a channel with one consumer. */
export class BrokerChannel implements QueueConsumer {
  readonly consumerTag: string;
  readonly #connection: Connection;
  readonly #client: ConsumerListener;
  readonly #name: string;
  #host: ChannelHost | undefined;
  #queue: MemoryQueue | undefined;
  #held: Message | undefined;
  #lastTag = 0;
  /** Tags of messages that the queue took back behind this channel's back: settling them does nothing. */
  readonly #takenTags = new Set<number>();

  constructor(connection: Connection, client: ConsumerListener, queue: string, consumerTag: string) {
    this.#connection = connection;
    this.#client = client;
    this.#name = queue;
    this.consumerTag = consumerTag;
  }

  get held(): Message | undefined {
    return this.#held;
  }

  consume(host: ChannelHost): void {
    this.#host = host;
    const queue = host.find(this.#name);
    if (queue === undefined) {
      this.#endAbsent();
    } else {
      this.#connection.served.add(this);
      this.#connection.down.send(() => this.#client.consuming(host.traits));
      this.#queue = queue;
      queue.attach(this);
    }
  }

  requeue(deliveryTag: number): void {
    this.#settle(deliveryTag, (queue) => queue.requeue(this));
  }

  ack(deliveryTag: number): void {
    this.#settle(deliveryTag, (queue) => queue.ack(this));
  }

  /** A passive declare. On a queue that is gone it costs the channel, like any 404. */
  depth(answer: (depth: QueueDepth) => void): void {
    if (this.#host === undefined) return;
    const depth = this.#host.find(this.#name)?.depth();
    if (depth === undefined) this.#endAbsent();
    else this.#connection.down.send(() => answer(depth));
  }

  /** channel.close by the client, or (with an error) by the broker. */
  endWith(error?: BatonError, absent?: true): void {
    if (this.#host === undefined) return;
    this.#host = undefined;
    this.#connection.served.delete(this);
    this.#queue?.detach(new Set([this]));
    this.#connection.down.send(() => this.#client.closed({ scope: 'channel', error, absent }));
  }

  #endAbsent(): void {
    this.endWith(absentQueue(this.#name), true);
  }

  /** The broker gave the whole connection up, and the queue has already been told. */
  abandon(): void {
    this.#host = undefined;
  }

  hand(message: Message): void {
    this.#held = message;
    this.#lastTag += 1;
    // A copy, as over a wire: a receiver that writes into its body must not change the message in the queue.
    const delivery = {
      deliveryTag: this.#lastTag,
      body: new Uint8Array(message.body),
      returns: message.returns,
    };
    this.#connection.down.send(() => this.#client.delivered(delivery));
  }

  take(): Message | undefined {
    const message = this.#held;
    if (message !== undefined) this.#takenTags.add(this.#lastTag);
    this.#held = undefined;
    return message;
  }

  cancel(): void {
    this.#queue = undefined;
    this.#connection.down.send(() => this.#client.cancelled());
  }

  /** A tag that was never given or is already settled is a channel error on RabbitMQ: it shows double settles. */
  #settle(deliveryTag: number, settle: (queue: MemoryQueue) => void): void {
    if (this.#host === undefined || this.#takenTags.delete(deliveryTag)) return;
    if (this.#queue !== undefined && this.#held !== undefined && deliveryTag === this.#lastTag) {
      settle(this.#queue);
      this.#takenTags.delete(deliveryTag);
    } else {
      this.endWith(
        new BrokerUnreachableError(`406 PRECONDITION_FAILED - unknown delivery tag ${deliveryTag}`),
      );
    }
  }
}
