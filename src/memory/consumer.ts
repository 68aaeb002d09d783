import type { AlsoListener } from '../protocol/port.ts';
import { countsOf, type MemoryQueue, type Message, type QueueConsumer, type Settlement } from './queue.ts';

/** What a consumer needs of the channel that it is on. */
export interface ConsumerHost {
  /** The next delivery tag: they are the channel's, whatever it consumes. */
  nextTag(): number;
  /** Tells the client something, in order. */
  tell(what: () => void): void;
  /** The channel ends, by an error of the broker. */
  fail(reason: string): void;
}

/** The broker's end of one consumer: what it holds unacked, by delivery tag. */
export class BrokerConsumer implements QueueConsumer {
  readonly consumerTag: string;
  readonly prefetch: number;
  readonly #channel: ConsumerHost;
  readonly #client: AlsoListener;
  readonly #queue: MemoryQueue;
  readonly #unacked = new Map<number, Message>();
  #attached = true;
  /** Tags of messages that the queue took back behind this channel's back: settling them does nothing. */
  readonly #takenTags = new Set<number>();

  constructor(
    channel: ConsumerHost,
    client: AlsoListener,
    queue: MemoryQueue,
    options: { consumerTag: string; prefetch: number },
  ) {
    this.consumerTag = options.consumerTag;
    this.prefetch = options.prefetch;
    this.#channel = channel;
    this.#client = client;
    this.#queue = queue;
  }

  get unacked(): readonly Message[] {
    return [...this.#unacked.values()];
  }

  attach(): void {
    this.#queue.attach(this);
  }

  get queue(): MemoryQueue {
    return this.#queue;
  }

  /** False when this tag is not of this consumer. */
  settle(deliveryTag: number, how: Settlement): boolean {
    if (this.#takenTags.delete(deliveryTag)) return true;
    const message = this.#unacked.get(deliveryTag);
    if (message === undefined) return false;
    this.#unacked.delete(deliveryTag);
    if (this.#attached) this.#queue.settled(message, how);
    return true;
  }

  hand(message: Message): void {
    const deliveryTag = this.#channel.nextTag();
    this.#unacked.set(deliveryTag, message);
    // A copy, as over a wire: a receiver that writes into its body must not change the message in the queue.
    const delivery = { deliveryTag, body: new Uint8Array(message.body), ...countsOf(message) };
    this.#channel.tell(() => this.#client.delivered(delivery));
  }

  takeAll(): readonly Message[] {
    const messages = this.unacked;
    for (const tag of this.#unacked.keys()) this.#takenTags.add(tag);
    this.#unacked.clear();
    return messages;
  }

  cancel(): void {
    this.#attached = false;
    this.#channel.tell(() => this.#client.cancelled());
  }

  fail(reason: string): void {
    this.#channel.fail(reason);
  }
}
