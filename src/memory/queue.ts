import type { Delivery, QueueDepth } from '../protocol/port.ts';

export interface Message {
  readonly body: Uint8Array;
  /** The headers `x-acquired-count` (0 below 4.3) and `x-delivery-count`. */
  readonly acquired: number;
  readonly failed: number;
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

export type Settlement = 'requeue' | 'reject' | 'ack';

/** Why a message goes back: 4.3 counts a return that nobody asked for and a reject in both headers, the others in one. */
type Return = 'gone' | 'reject' | 'requeue' | 'timeout';

/** What a consumer reads of the headers. */
export function countsOf({ acquired, failed }: Message): Pick<Delivery, 'returns' | 'nacked'> {
  return { returns: acquired + failed, nacked: acquired === 0 ? undefined : acquired - failed };
}

/** A quorum queue with a single active consumer: the first in line is active, the others wait in order of arrival. */
export class MemoryQueue {
  /** Without a consumer for so long it is gone; Infinity is never. */
  readonly idleExpiryMs: number;
  readonly #nowMono: () => number;
  /** Returns are counted in `x-acquired-count`, and failures also in `x-delivery-count`: from 4.3 on. */
  readonly #countsApart: boolean;
  readonly #ready: Message[] = [];
  #destroyNext = false;
  #line: QueueConsumer[] = [];
  #idleSinceMono: number;

  constructor(nowMono: () => number, countsApart: boolean, idleExpiryMs: number) {
    this.#nowMono = nowMono;
    this.#countsApart = countsApart;
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
    this.#detach(consumers, 'gone');
  }

  /**
   * basic.nack(requeue) and basic.reject(requeue): to the head and, as the consumer stays active, straight back to it.
   * basic.ack: gone.
   */
  settled(message: Message, how: Settlement): void {
    if (how !== 'ack') this.#return([message], how);
    this.#serve();
  }

  /** The active consumer loses its messages and its place without being told, and is a waiter again (4.0.5, link drop). */
  takeBack(): boolean {
    const active = this.#line.shift();
    if (active === undefined) return false;
    const messages = active.takeAll();
    this.#line.push(active);
    this.#return(messages, 'gone');
    this.#serve();
    return messages.length > 0;
  }

  /** The broker cancels the active consumer and takes back what it held (4.3, consumer timeout). */
  cancelActive(): boolean {
    const active = this.#line[0];
    active?.cancel();
    if (active !== undefined) this.#detach(new Set([active]), 'timeout');
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

  #detach(consumers: ReadonlySet<QueueConsumer>, why: Return): void {
    const leaving = this.#line.filter((consumer) => consumers.has(consumer));
    if (leaving.length === 0) return;
    this.#line = this.#line.filter((consumer) => !consumers.has(consumer));
    for (const consumer of leaving) this.#return(consumer.takeAll(), why);
    this.#idleSinceMono = this.#nowMono();
    this.#serve();
  }

  /** To the head, in the order in which they were delivered. */
  #return(messages: readonly Message[], why: Return): void {
    for (const message of messages.toReversed()) {
      if (!this.#destroyNext) this.#ready.unshift(this.#counted(message, why));
      this.#destroyNext = false;
    }
  }

  #counted(message: Message, why: Return): Message {
    const { acquired, failed } = message;
    if (!this.#countsApart) return { ...message, failed: failed + 1 };
    const hasFailed = why === 'gone' || why === 'reject';
    return { ...message, acquired: acquired + 1, failed: failed + (hasFailed ? 1 : 0) };
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
