import type { BatonError } from '../errors.ts';
import {
  type Channel,
  type ConfirmChannel,
  type ConsumeMessage,
  closeChannel,
  type Message,
  onCrossingClose,
} from './amqp.ts';
import type { QueueDepth } from './port.ts';

/** Why a channel ended: alone (`fault` is the broker's error, if any) or with its connection. */
export type ChannelEnd =
  | { readonly scope: 'channel'; readonly fault?: unknown }
  | { readonly scope: 'connection'; readonly error: BatonError | undefined };

/** Told to the {@link Link} that the channel is on: its number is free again, `faulty` after a broker's close. */
export type ChannelReleased = (faulty: boolean) => void;

/**
 * One AMQP channel. Calls that need an answer reject with amqplib's raw error; the others never throw.
 * amqplib throws from any method of a channel that is closing, and emits `error` without asking for listeners.
 */
export class LinkChannel {
  readonly #raw: Channel;
  readonly #closing: () => void;
  #end: ChannelEnd | undefined;
  #listener: ((end: ChannelEnd) => void) | undefined;

  constructor(raw: Channel, released: ChannelReleased, closing: () => void = () => {}) {
    this.#raw = raw;
    this.#closing = closing;
    let faulty = false;
    raw.on('error', (fault: unknown) => {
      faulty = true;
      this.finish({ scope: 'channel', fault });
    });
    raw.on('close', () => {
      released(faulty);
      // When the connection dies, amqplib closes its channels before it says so, in the same turn. What is left
      // a microtask later is the answer to our own channel.close.
      queueMicrotask(() => this.finish({ scope: 'channel' }));
    });
  }

  /** Set once the channel is of no more use. */
  get end(): ChannelEnd | undefined {
    return this.#end;
  }

  /** Called once, synchronously with the detection; at once when the channel has ended already. */
  onEnd(listener: (end: ChannelEnd) => void): void {
    if (this.#end === undefined) this.#listener = listener;
    else listener(this.#end);
  }

  /** For the link, whose end is the end of all its channels. */
  finish(end: ChannelEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#listener?.(end);
    this.#listener = undefined;
  }

  /** For consumers that are made from now on. */
  async prefetch(count: number): Promise<void> {
    await this.#raw.prefetch(count);
  }

  /**
   * Keeps the broker from attaching consumers of this channel to a queue that took the place of theirs
   * (protocol/versions.ts), and quorum queues from taking further consumers on it: with the global flag basic.qos is a
   * limit for the channel as a whole, which they do not support.
   */
  async pin(pinned: boolean): Promise<void> {
    await this.#raw.prefetch(pinned ? 1 : 0, true);
  }

  /** Messages are passed on synchronously; `null` is a cancel by the broker. */
  async consume(
    queue: string,
    tag: string,
    onMessage: (message: ConsumeMessage | null) => void,
    args: Record<string, string | number> = {},
  ): Promise<void> {
    const options = { consumerTag: tag, noAck: false, exclusive: false, arguments: args };
    await this.#raw.consume(queue, onMessage, options);
  }

  /** A queue that ends with the connection, and that nobody else can use. */
  async declareExclusive(queue: string): Promise<void> {
    await this.#raw.assertQueue(queue, { exclusive: true, durable: false });
  }

  async depth(queue: string): Promise<QueueDepth> {
    const { messageCount, consumerCount } = await this.#raw.checkQueue(queue);
    return { ready: messageCount, consumers: consumerCount };
  }

  async declare(queue: string, args: Record<string, string | number | boolean>): Promise<QueueDepth> {
    const { messageCount, consumerCount } = await this.#raw.assertQueue(queue, {
      durable: true,
      arguments: args,
    });
    return { ready: messageCount, consumers: consumerCount };
  }

  async purge(queue: string): Promise<void> {
    await this.#raw.purgeQueue(queue);
  }

  async remove(queue: string): Promise<void> {
    await this.#raw.deleteQueue(queue);
  }

  requeue(deliveryTag: number): void {
    quietly(() => this.#raw.nack(messageWith(deliveryTag), false, true));
  }

  reject(deliveryTag: number): void {
    quietly(() => this.#raw.reject(messageWith(deliveryTag), true));
  }

  ack(deliveryTag: number): void {
    quietly(() => this.#raw.ack(messageWith(deliveryTag)));
  }

  /** Puts channel.close on the wire, ahead of any call that waits for its turn. Its promise may never settle. */
  close(): void {
    this.#closing();
    quietly(() => {
      closeChannel(this.#raw).catch(ignore);
      onCrossingClose(this.#raw, () => this.finish({ scope: 'channel' }));
    });
  }
}

/** A channel in confirm mode. One publish at a time, so that a return can be told apart. */
export class ConfirmLinkChannel extends LinkChannel {
  readonly #confirming: ConfirmChannel;

  constructor(raw: ConfirmChannel, released: ChannelReleased, closing?: () => void) {
    super(raw, released, closing);
    this.#confirming = raw;
  }

  /** Through the default exchange, mandatory: the default exchange confirms what it cannot route (seen). */
  publish(queue: string, body: Uint8Array, expirationMs?: number): Promise<'confirmed' | 'returned'> {
    return new Promise((resolve, reject) => {
      const raw = this.#confirming;
      let returned = false;
      const onReturn = () => {
        returned = true;
      };
      // basic.return comes before the confirm.
      raw.once('return', onReturn);
      const expiration = expirationMs === undefined ? undefined : Math.ceil(expirationMs);
      const options = { persistent: true, mandatory: true, expiration };
      raw.publish('', queue, Buffer.from(body), options, (error: unknown) => {
        raw.off('return', onReturn);
        if (error === null) return resolve(returned ? 'returned' : 'confirmed');
        // amqplib says "channel closed" here; the reason was in the channel's own error.
        const end = this.end;
        reject(end?.scope === 'channel' && end.fault !== undefined ? end.fault : error);
      });
    });
  }
}

/** amqplib wants the message and reads nothing but its delivery tag. */
const messageWith = (deliveryTag: number): Message => ({ fields: { deliveryTag } }) as Message;

const ignore = () => {};

function quietly(call: () => void): void {
  try {
    call();
  } catch {
    // The channel is closing already: whatever was asked of it is moot.
  }
}
