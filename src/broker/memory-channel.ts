import { soon } from '../callbacks.ts';
import type { BatonError } from '../errors.ts';
import { BrokerChannel, type ChannelHost } from './memory-broker-channel.ts';
import type { Connection } from './memory-connection.ts';
import type { AlsoListener, ClosedScope, ConsumerChannel, ConsumerListener, QueueDepth } from './port.ts';

type ChannelEnd = { scope: ClosedScope; error?: BatonError; absent?: boolean };

/** The client's end: what `consume` returns. */
export class MemoryChannel implements ConsumerChannel {
  readonly #client: ConsumerListener;
  readonly #barriers = new Set<(nothing: undefined) => void>();
  #state: 'waiting' | 'open' | 'closing' | 'closed' = 'waiting';
  #wire: { readonly connection: Connection; readonly far: BrokerChannel } | undefined;

  constructor(client: ConsumerListener, forget: (channel: MemoryChannel) => void) {
    this.#client = {
      consuming: (traits) => this.#state === 'open' && client.consuming(traits),
      // amqplib ignores whatever arrives between channel.close and its answer.
      delivered: (delivery) => this.#state === 'open' && client.delivered(delivery),
      cancelled: () => this.#state === 'open' && client.cancelled(),
      closed: (end) => {
        if (this.#state === 'closed') return;
        this.#state = 'closed';
        forget(this);
        for (const settle of this.#barriers) settle(undefined);
        client.closed(end);
      },
    };
  }

  get waiting(): boolean {
    return this.#wire === undefined;
  }

  open(connection: Connection, host: ChannelHost, queue: string, consumerTag: string): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'open';
    const far = new BrokerChannel(connection, this.#client, queue, consumerTag);
    this.#wire = { connection, far };
    connection.up.send(() => far.consume(host));
  }

  consumeAlso(queue: string, consumerTag: string, prefetch: number, listener: AlsoListener): void {
    const heard: AlsoListener = {
      delivered: (delivery) => this.#state === 'open' && listener.delivered(delivery),
      cancelled: () => this.#state === 'open' && listener.cancelled(),
    };
    this.#send((far) => far.consumeAlso(queue, consumerTag, prefetch, heard));
  }

  requeue(deliveryTag: number): void {
    this.#send((far) => far.settle(deliveryTag, 'requeue'));
  }

  reject(deliveryTag: number): void {
    this.#send((far) => far.settle(deliveryTag, 'reject'));
  }

  ack(deliveryTag: number): void {
    this.#send((far) => far.settle(deliveryTag, 'ack'));
  }

  barrier(): Promise<QueueDepth | undefined> {
    if (this.#state !== 'open') return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#barriers.add(resolve);
      this.#send((far) =>
        far.depth((depth) => {
          this.#barriers.delete(resolve);
          resolve(depth);
        }),
      );
    });
  }

  close(): void {
    if (this.#state === 'waiting') {
      this.#state = 'closing';
      soon(() => this.end({ scope: 'channel' }));
      return;
    }
    this.#send((far) => far.endWith());
    this.mute();
  }

  /** From here on the client hears of nothing but the end. */
  mute(): void {
    if (this.#state !== 'closed') this.#state = 'closing';
  }

  end(end: ChannelEnd): void {
    this.#client.closed(end);
  }

  #send(request: (far: BrokerChannel) => void): void {
    const wire = this.#wire;
    if (this.#state === 'open' && wire !== undefined) wire.connection.up.send(() => request(wire.far));
  }
}
