import type { QueueDepth } from './port.ts';

export interface Message {
  readonly body: Uint8Array;
  readonly returns: number;
  /** On the broker's monotonic clock. */
  readonly expiresAtMono: number;
}

/** A consumer as its queue sees it. It has at most `prefetch` unacked messages. */
export interface QueueConsumer {
  readonly consumerTag: string;
  readonly prefetch: number;
  /** In the order of delivery. */
  readonly unacked: readonly Message[];
  /** Delivers a message, which is then unacked. */
  hand(message: Message): void;
  /** Forgets the unacked messages and returns them. The client is not told. */
  takeAll(): readonly Message[];
  /** Tells the client that the queue no longer serves it. */
  cancel(): void;
  /** Closes the channel, from the broker's side. */
  fail(reason: string): void;
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
    for (const consumer of leaving) this.#return(consumer.takeAll(), this.#closeIncrement);
    this.#idleSinceMono = this.#nowMono();
    this.#serve();
  }

  /**
   * basic.nack(requeue): to the head and, as the consumer stays active, straight back to it, counted once on every
   * version. basic.ack: gone.
   */
  settled(message: Message, how: 'requeue' | 'ack'): void {
    if (how === 'requeue') this.#return([message], 1);
    this.#serve();
  }

  /** The active consumer loses its messages and its place without being told, and is a waiter again (4.0.5, link drop). */
  takeBack(): boolean {
    const active = this.#line.shift();
    if (active === undefined) return false;
    const messages = active.takeAll();
    this.#line.push(active);
    this.#return(messages, this.#closeIncrement);
    this.#serve();
    return messages.length > 0;
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
      consumer.takeAll();
      consumer.cancel();
    }
  }

  /** To the head, in the order in which they were delivered. */
  #return(messages: readonly Message[], increment: number): void {
    for (const message of messages.toReversed()) {
      if (!this.#destroyNext) this.#ready.unshift({ ...message, returns: message.returns + increment });
      this.#destroyNext = false;
    }
  }

  #serve(): void {
    const active = this.#line[0];
    if (active === undefined) return;
    this.#expire();
    while (active.unacked.length < active.prefetch) {
      const message = this.#ready.shift();
      if (message === undefined) return;
      active.hand(message);
      this.#expire();
    }
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
