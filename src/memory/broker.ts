import type { Clock } from '../clock.ts';
import { BrokerUnreachableError } from '../errors.ts';
import { MemoryNode } from './node.ts';
import { countsOf, type MemoryQueue } from './queue.ts';
import { MemorySession } from './session.ts';

export { MemorySession } from './session.ts';

/** Options of {@link MemoryBroker}. */
export interface MemoryBrokerOptions {
  readonly clock: Clock;
  /** The RabbitMQ version it plays: from 4.3 on a returned message counts 2, before 1. Default: `[4, 3, 0]`. */
  readonly version?: readonly [number, number, number] | undefined;
}

/** One place in a queue's line; the first is the active consumer. */
export interface LinePlace {
  readonly consumerTag: string;
  /** The count of the first message that it holds unacked; undefined when it holds none. */
  readonly heldReturns: number | undefined;
}

/**
 * A broker in this process: quorum queues with single active consumer, as RabbitMQ has them, shared by many
 * sessions. The hooks act on the broker at once; clients hear of it asynchronously, as over a wire. Hooks that
 * name a queue throw when it is not there.
 */
export class MemoryBroker {
  readonly #node: MemoryNode;

  constructor(options: MemoryBrokerOptions) {
    this.#node = new MemoryNode(options.clock, options.version ?? [4, 3, 0]);
  }

  /** A new client's session, open at once. */
  connect(): MemorySession {
    return new MemorySession(this.#node);
  }

  /** Who is attached, in order of arrival. */
  line(queue: string): readonly LinePlace[] {
    return this.#queue(queue).line.map(({ consumerTag, unacked }) => ({
      consumerTag,
      heldReturns: unacked[0] && countsOf(unacked[0]).returns,
    }));
  }

  /** Plants a message at the tail, past every alarm. */
  publishRaw(queue: string, body: Uint8Array, options?: { returns?: number; expirationMs?: number }): void {
    const expirationMs = options?.expirationMs ?? Number.POSITIVE_INFINITY;
    this.#queue(queue);
    this.#node.deposit(queue, body, { expirationMs, returns: options?.returns ?? 0 });
  }

  exists(queue: string): boolean {
    return this.#node.find(queue) !== undefined;
  }

  /** How many messages nobody holds. */
  ready(queue: string): number {
    return this.#queue(queue).depth().ready;
  }

  /** Drops the ready messages; what is held stays, as on RabbitMQ. */
  purge(queue: string): void {
    this.#queue(queue).purge();
  }

  /** Deletes the queue under its users: its messages are gone, its consumers are cancelled. */
  deleteQueue(queue: string): void {
    this.#queue(queue);
    this.#node.remove(queue);
  }

  /** Makes a queue with other arguments than a lock's: `declare` rejects with QueueMismatchError from now on. */
  declareForeign(queue: string): void {
    this.#node.declareForeign(queue);
  }

  /**
   * Takes the message back from the active consumer and serves the next waiter. The old holder is told nothing,
   * stays attached as the last in line, and whatever it settles of the old delivery is ignored: 4.0.5 after one
   * dropped link between nodes. False when nothing was held.
   */
  takeBack(queue: string): boolean {
    return this.#queue(queue).takeBack();
  }

  /** The next return of what is held destroys it: a delivery-limit policy that is lower than its count. */
  limitReached(queue: string): void {
    this.#queue(queue).limitReached();
  }

  /** Closes the active consumer's channel with an error (consumer timeout up to 4.2). False without a consumer. */
  closeChannel(queue: string): boolean {
    const active = this.#queue(queue).line[0];
    active?.fail('the broker closed the channel: 406 PRECONDITION_FAILED');
    return active !== undefined;
  }

  /** Cancels the active consumer; queue and channel stay (consumer timeout on 4.3). False without a consumer. */
  cancelConsumer(queue: string): boolean {
    return this.#queue(queue).cancelActive();
  }

  /**
   * Memory alarm: publishes wait until it ends, and a session that publishes is `blocked` until then. Nothing
   * else is affected.
   */
  alarm(on: boolean): void {
    this.#node.alarm(on);
  }

  /** Every connection is lost, everything held is returned, queues and messages stay; sessions connect again. */
  restart(): void {
    const connections = [...this.#node.connections];
    this.#node.hangUp(connections);
    for (const connection of connections) {
      connection.closeByBroker(
        new BrokerUnreachableError('the connection to the in-memory broker was lost: it restarted'),
      );
    }
  }

  #queue(name: string): MemoryQueue {
    const queue = this.#node.find(name);
    if (queue === undefined) throw new Error(`the in-memory broker has no queue ${name}`);
    return queue;
  }
}
