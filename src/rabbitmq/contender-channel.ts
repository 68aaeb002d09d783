import type {
  AlsoListener,
  BrokerTraits,
  ConsumerChannel,
  ConsumerListener,
  Delivery,
  QueueDepth,
} from '../protocol/port.ts';
import { forgetsConsumers, isBelow43 } from '../protocol/versions.ts';
import { type ConsumeMessage, UndecodableError } from './amqplib.ts';
import type { ChannelEnd, ConnectionChannel } from './channel.ts';
import { channelFault, contenderAction, isAbsence, isInternalError } from './error-translation.ts';

/** Where a consumer comes from. */
export interface ContenderChannelOwner {
  /** It needs no channel any more. May be called again. */
  done(consumer: ContenderChannel): void;
  /** Its listener threw; the consumer closes itself, which gives the token back. */
  threw(error: unknown): void;
  /** The broker ended the connection while its consume of this queue had no answer, and the consume can be the reason. */
  unanswered(queue: string): void;
  /** The broker answered its consume of this queue. */
  answered(queue: string): void;
}

type Closed = Parameters<ConsumerListener['closed']>[0];

/**
 * A contender's own channel: waits for one, consumes on it once, and is never used again.
 *
 * ```text
 * waiting ──attach──▶ open ──close()──▶ closing ──▶ closed
 *    └────close()──────┼────────────────────────────▶│
 *                      └──the broker, the connection─▶
 * ```
 */
export class ContenderChannel implements ConsumerChannel {
  readonly queue: string;
  readonly #tag: string;
  /** By consumer tag. */
  readonly #queues = new Map<string | undefined, string>();
  readonly #listener: ConsumerListener;
  readonly #owner: ContenderChannelOwner;
  #state: 'waiting' | 'open' | 'closing' | 'closed' = 'waiting';
  #channel: ConnectionChannel | undefined;
  #traits: BrokerTraits | undefined;
  #announced = false;
  /** The broker has been told not to attach it to another queue. */
  #isPinned = false;
  /** Queues whose consume has no answer yet. */
  readonly #asked = new Set<string>();
  #muted = false;
  #attached: Promise<void>;
  #settleAttached: () => void = () => {};

  constructor(queue: string, tag: string, listener: ConsumerListener, owner: ContenderChannelOwner) {
    this.queue = queue;
    this.#tag = tag;
    this.#listener = listener;
    this.#owner = owner;
    this.#attached = new Promise((resolve) => {
      this.#settleAttached = resolve;
    });
  }

  /** Hands over a fresh channel with prefetch 1, and consumes. */
  attach(channel: ConnectionChannel, traits: BrokerTraits): void {
    this.#state = 'open';
    this.#channel = channel;
    this.#traits = traits;
    channel.onEnd((end) => this.end(toClosed(end, this.#queueOf(end))));
    this.#consume(channel, this.queue, this.#tag, (message) => this.#message(message, traits)).then(
      () => this.#announce(traits),
      // The channel's own end says why; and a consume that is refused never leaves its channel open.
      ignore,
    );
    this.#isPinned = forgetsConsumers(traits.version);
    if (this.#isPinned) channel.pin(true).catch(ignore);
    this.#settleAttached();
  }

  consumeAlso(queue: string, tag: string, prefetch: number, listener: AlsoListener): void {
    const channel = this.#channel;
    const traits = this.#traits;
    if (this.#state !== 'open' || channel === undefined || traits === undefined) return;
    const onMessage = (message: ConsumeMessage | null) => {
      if (this.#state !== 'open' || this.#muted) return;
      this.#guard(() =>
        message === null ? listener.cancelled() : listener.delivered(toDelivery(message, traits)),
      );
    };
    // One after the other on the wire, because each waits for the answer to the one before inside amqplib. What is
    // refused ends the channel, which says why.
    if (this.#isPinned) channel.pin(false).catch(ignore);
    void Promise.allSettled([channel.prefetch(prefetch), this.#consume(channel, queue, tag, onMessage)]);
    if (this.#isPinned) channel.pin(true).catch(ignore);
  }

  requeue(deliveryTag: number): void {
    if (this.#state === 'open') this.#channel?.requeue(deliveryTag);
  }

  reject(deliveryTag: number): void {
    if (this.#state === 'open') this.#channel?.reject(deliveryTag);
  }

  ack(deliveryTag: number): void {
    if (this.#state === 'open') this.#channel?.ack(deliveryTag);
  }

  async barrier(): Promise<QueueDepth | undefined> {
    await this.#attached;
    const channel = this.#channel;
    if (this.#state !== 'open' || channel === undefined) return undefined;
    try {
      const depth = await channel.depth(this.queue);
      return channel.end === undefined ? depth : undefined;
    } catch {
      return undefined;
    }
  }

  close(): void {
    if (this.#state === 'open') {
      this.#state = 'closing';
      this.#channel?.close();
    } else if (this.#state === 'waiting') {
      this.#state = 'closing';
      this.#owner.done(this);
      queueMicrotask(() => this.end({ scope: 'channel' }));
    }
  }

  /** The session is closing: nothing but `closed` is called from now on. */
  mute(): void {
    this.#muted = true;
  }

  /** The channel is gone, or will never come. Only the first end counts. */
  end(closed: Closed): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#settleAttached();
    const [queue] = this.#asked;
    if (queue !== undefined && closed.scope === 'connection' && isInternalError(closed.error)) {
      this.#owner.unanswered(queue);
    }
    this.#owner.done(this);
    this.#tell((listener) => listener.closed(closed));
  }

  async #consume(
    channel: ConnectionChannel,
    queue: string,
    tag: string,
    onMessage: (message: ConsumeMessage | null) => void,
  ): Promise<void> {
    this.#asked.add(queue);
    this.#queues.set(tag, queue);
    await channel.consume(queue, tag, onMessage);
    this.#asked.delete(queue);
    this.#owner.answered(queue);
  }

  #queueOf(end: ChannelEnd): string {
    const fault = end.scope === 'channel' ? end.fault : undefined;
    return (
      (fault instanceof UndecodableError ? this.#queues.get(fault.consumerTag) : undefined) ?? this.queue
    );
  }

  #announce(traits: BrokerTraits): void {
    if (this.#state !== 'open' || this.#muted || this.#announced) return;
    this.#announced = true;
    this.#tell((listener) => listener.consuming(traits));
  }

  #message(message: ConsumeMessage | null, traits: BrokerTraits): void {
    // A delivery can share a segment with consume-ok, whose promise settles only after both were read.
    this.#announce(traits);
    if (this.#state !== 'open' || this.#muted) return;
    if (message === null) {
      this.#tell((listener) => listener.cancelled());
      return;
    }
    this.#tell((listener) => listener.delivered(toDelivery(message, traits)));
  }

  #tell(what: (listener: ConsumerListener) => void): void {
    this.#guard(() => what(this.#listener));
  }

  /** An exception would take amqplib's connection down, and with it everybody else's contenders. */
  #guard(what: () => void): void {
    try {
      what();
    } catch (error) {
      this.#owner.threw(error);
      this.close();
    }
  }
}

function toDelivery(message: ConsumeMessage, traits: BrokerTraits): Delivery {
  const { fields, content } = message;
  return { deliveryTag: fields.deliveryTag, body: content, ...countsOf(message, traits) };
}

/**
 * RabbitMQ 4.3 counts every return in the first header, crashes and rejects in both; older ones know only the second. A
 * header that the broker has not written yet is what the publisher wrote: both of them at the first delivery, and the
 * first one below 4.3. Every return sets `redelivered` (nack, reject, close, a killed socket and node: 3.10.8, 4.0.5, 4.3.6).
 */
function countsOf(
  { fields, properties }: ConsumeMessage,
  { version }: BrokerTraits,
): Pick<Delivery, 'returns' | 'nacked'> {
  if (!fields.redelivered) return { returns: 0, nacked: undefined };
  const headers = (properties.headers ?? {}) as Record<string, unknown>;
  const acquired = isBelow43(version) ? 0 : count(headers['x-acquired-count']);
  const failed = count(headers['x-delivery-count']);
  return { returns: acquired + failed, nacked: acquired === 0 ? undefined : acquired - failed };
}

const count = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0);

function toClosed(end: ChannelEnd, queue: string): Closed {
  if (end.scope === 'connection') return { scope: 'connection', error: end.error };
  if (end.fault === undefined) return { scope: 'channel' };
  const error = channelFault(end.fault, contenderAction(end.fault), queue);
  return isAbsence(end.fault) ? { scope: 'channel', error, absent: true } : { scope: 'channel', error };
}

const ignore = () => {};
