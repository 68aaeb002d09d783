import { type BatonError, BrokerUnreachableError } from '../errors.ts';
import type { AlsoListener, BrokerTraits, ConsumerListener, QueueDepth } from '../protocol/port.ts';
import type { Connection } from './connection.ts';
import { BrokerConsumer, type ConsumerHost } from './consumer.ts';
import type { MemoryQueue, Settlement } from './queue.ts';

export const absentQueue = (queue: string): BrokerUnreachableError =>
  new BrokerUnreachableError(`queue ${queue} is not there; it has to be declared first`);

/** What a channel needs of the broker's node. */
export interface ChannelHost {
  readonly traits: BrokerTraits;
  find(queue: string): MemoryQueue | undefined;
}

/** The broker's end of a channel. */
export class BrokerChannel implements ConsumerHost {
  readonly #connection: Connection;
  readonly #client: ConsumerListener;
  readonly #name: string;
  readonly #consumerTag: string;
  readonly #consumers: BrokerConsumer[] = [];
  #host: ChannelHost | undefined;
  #lastTag = 0;

  constructor(connection: Connection, client: ConsumerListener, queue: string, consumerTag: string) {
    this.#connection = connection;
    this.#client = client;
    this.#name = queue;
    this.#consumerTag = consumerTag;
  }

  get consumers(): readonly BrokerConsumer[] {
    return this.#consumers;
  }

  consume(host: ChannelHost): void {
    this.#host = host;
    const queue = host.find(this.#name);
    if (queue === undefined) {
      this.#endAbsent(this.#name);
    } else {
      this.#connection.served.add(this);
      this.tell(() => this.#client.consuming(host.traits));
      this.#attach(queue, this.#client, { consumerTag: this.#consumerTag, prefetch: 1 });
    }
  }

  consumeAlso(name: string, consumerTag: string, prefetch: number, listener: AlsoListener): void {
    if (this.#host === undefined) return;
    const queue = this.#host.find(name);
    if (queue === undefined) this.#endAbsent(name);
    else this.#attach(queue, listener, { consumerTag, prefetch });
  }

  /** A tag that was never given or is already settled is a channel error on RabbitMQ: it shows double settles. */
  settle(deliveryTag: number, how: Settlement): void {
    if (this.#host === undefined) return;
    if (this.#consumers.some((consumer) => consumer.settle(deliveryTag, how))) return;
    this.fail(`406 PRECONDITION_FAILED - unknown delivery tag ${deliveryTag}`);
  }

  /** A passive declare. On a queue that is gone it costs the channel, like any 404. */
  depth(answer: (depth: QueueDepth) => void): void {
    if (this.#host === undefined) return;
    const depth = this.#host.find(this.#name)?.depth();
    if (depth === undefined) this.#endAbsent(this.#name);
    else this.tell(() => answer(depth));
  }

  /** channel.close by the client, or (with an error) by the broker. */
  endWith(error?: BatonError, absent?: true): void {
    if (this.#host === undefined) return;
    this.#host = undefined;
    this.#connection.served.delete(this);
    const leaving = new Set(this.#consumers);
    for (const { queue } of leaving) queue.detach(leaving);
    this.tell(() => this.#client.closed({ scope: 'channel', error, absent }));
  }

  /** The broker gave the whole connection up, and the queues have already been told. */
  abandon(): void {
    this.#host = undefined;
  }

  nextTag(): number {
    this.#lastTag += 1;
    return this.#lastTag;
  }

  tell(what: () => void): void {
    this.#connection.down.send(what);
  }

  fail(reason: string): void {
    this.endWith(new BrokerUnreachableError(reason));
  }

  #attach(
    queue: MemoryQueue,
    client: AlsoListener,
    options: { consumerTag: string; prefetch: number },
  ): void {
    const consumer = new BrokerConsumer(this, client, queue, options);
    this.#consumers.push(consumer);
    consumer.attach();
  }

  #endAbsent(queue: string): void {
    this.endWith(absentQueue(queue), true);
  }
}
