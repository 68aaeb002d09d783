import type { BatonError } from '../errors.ts';
import type { QueueDepth } from './port.ts';

export interface Message {
  readonly body: Uint8Array;
  readonly returns: number;
  /** On the broker's monotonic clock. */
  readonly expiresAtMono: number;
}

/** A consumer as its queue sees it. Prefetch is 1: it has at most one unacked message, `held`. */
export interface QueueConsumer {
  readonly consumerTag: string;
  readonly held: Message | undefined;
  /** Delivers a message, which is then held. */
  hand(message: Message): void;
  /** Forgets the message held and returns it. The client is not told. */
  take(): Message | undefined;
  /** Tells the client that the queue no longer serves it. */
  cancel(): void;
  /** Closes the channel, from the broker's side. */
  endWith(error: BatonError): void;
}

/** A quorum queue with a single active consumer: the first in line is active, the others wait in order of arrival. */
export class MemoryQueue {
  /** Without a consumer for so long it is gone; Infinity is never. */
  readonly idleExpiryMs: number;
  readonly #nowMono: () => number;
  /** What a return other than a nack adds to the count: 2 on 4.3 (`x-acquired-count` and `x-delivery-count`), 1 before. */
  readonly #closeIncrement: number;
  readonly #ready: Message[] = [];
  #destroyNext = false;
  #line: QueueConsumer[] = [];
  #idleSinceMono: number;

  constructor(nowMono: () => number, closeIncrement: number, idleExpiryMs: number) {
    this.#nowMono = nowMono;
    this.#closeIncrement = closeIncrement;
    this.idleExpiryMs = idleExpiryMs;
    this.#idleSinceMono = nowMono();
  }

  get line(): readonly QueueConsumer[] {
    return this.#line;
  }

  /** Counted from when the last consumer left, or from its making; looks, declarations and publishes do not count (seen, all versions). */
  get expired(): boolean {
    return this.#line.length === 0 && this.#nowMono() - this.#idleSinceMono > this.idleExpiryMs;
  }

  /** Only the active consumer is counted, however many wait (3.10, 4.0 and 4.3 alike). */
  depth(): QueueDepth {
    this.#expire();
    return { ready: this.#ready.length, consumers: Math.min(this.#line.length, 1) };
  }

  publish(message: Message): void {
    this.#ready.push(message);
    this.#serve();
  }

  attach(consumer: QueueConsumer): void {
    this.#line.push(consumer);
    this.#serve();
  }

  /** One replicated step: their messages go back to the head, then the next in line becomes active and is served. */
  detach(consumers: ReadonlySet<QueueConsumer>): void {
    const leaving = this.#line.filter((consumer) => consumers.has(consumer));
    if (leaving.length === 0) return;
    this.#line = this.#line.filter((consumer) => !consumers.has(consumer));
    for (const consumer of leaving) this.#return(consumer.take(), this.#closeIncrement);
    this.#idleSinceMono = this.#nowMono();
    this.#serve();
  }

  /** basic.nack(requeue): to the head and, as the consumer stays active, straight back to it, counted once on every version. */
  requeue(consumer: QueueConsumer): void {
    this.#return(consumer.take(), 1);
    this.#serve();
  }

  ack(consumer: QueueConsumer): void {
    consumer.take();
    this.#serve();
  }

  /** The active consumer loses its message and its place without being told, and is a waiter again (4.0.5, link drop). */
  takeBack(): boolean {
    const active = this.#line.shift();
    if (active === undefined) return false;
    const message = active.take();
    this.#line.push(active);
    this.#return(message, this.#closeIncrement);
    this.#serve();
    return message !== undefined;
  }

  /** The broker cancels the active consumer and takes back what it held (4.3, consumer timeout). */
  cancelActive(): boolean {
    const active = this.#line[0];
    active?.cancel();
    if (active !== undefined) this.detach(new Set([active]));
    return active !== undefined;
  }

  /** A delivery-limit policy lower than the token's count: its next return destroys it. */
  limitReached(): void {
    this.#destroyNext = true;
  }

  /** Ready messages only: RabbitMQ does not purge what is held. */
  purge(): void {
    this.#ready.length = 0;
  }

  /** The queue is deleted: its messages are gone, held ones too, and every consumer is cancelled. */
  end(): void {
    const line = this.#line;
    this.#line = [];
    this.#ready.length = 0;
    for (const consumer of line) {
      consumer.take();
      consumer.cancel();
    }
  }

  #return(message: Message | undefined, increment: number): void {
    if (message === undefined) return;
    if (!this.#destroyNext) this.#ready.unshift({ ...message, returns: message.returns + increment });
    this.#destroyNext = false;
  }

  #serve(): void {
    const active = this.#line[0];
    if (active === undefined || active.held !== undefined) return;
    this.#expire();
    const message = this.#ready.shift();
    if (message !== undefined) active.hand(message);
  }

  /**
   * A quorum queue drops expired messages when they are at the head of what is ready, before it delivers or
   * counts (rabbit_fifo's expire_msgs): behind one that does not expire, they stay. Hence no timers here.
   */
  #expire(): void {
    const now = this.#nowMono();
    while ((this.#ready[0]?.expiresAtMono ?? Number.POSITIVE_INFINITY) <= now) this.#ready.shift();
  }
}
