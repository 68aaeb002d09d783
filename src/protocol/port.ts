import type { Socket } from 'node:net';
import type { BatonError } from '../errors.ts';

/** What a look at a queue (passive declare) reports. `consumers` counts only the active one on quorum queues. */
export interface QueueDepth {
  readonly ready: number;
  readonly consumers: number;
}

/** One message handed to a consumer. `deliveryTag` is valid on the channel it came from, and only there. */
export interface Delivery {
  readonly deliveryTag: number;
  readonly body: Uint8Array;
  /** `x-acquired-count` + `x-delivery-count`, absent = 0: how often the broker took this message back. */
  readonly returns: number;
  /**
   * `x-acquired-count` − `x-delivery-count`: how often it was given back by {@link ConsumerChannel.requeue}, and by nothing
   * else that a consumer does or suffers. Undefined without the first header: before the first return, and below 4.3.
   */
  readonly nacked: number | undefined;
}

/** What the protocol needs to know of the broker on the other end. */
export interface BrokerTraits {
  /** `[major, minor, patch]` as the broker announces it. */
  readonly version: readonly [number, number, number];
}

/** Where the death of a channel began: a `connection` takes every channel on it along. */
export type ClosedScope = 'channel' | 'connection';

/** What happens on a contender's channel, in wire order: `consuming` first, and nothing more after `closed`. */
export interface ConsumerListener {
  /** basic.consume was answered: this channel is in the queue's line. */
  consuming(traits: BrokerTraits): void;
  delivered(delivery: Delivery): void;
  /** The broker cancelled the consumer (queue deleted, or the consumer timed out). */
  cancelled(): void;
  /**
   * The channel is gone. `error` is undefined after an orderly close that this side asked for. A queue that
   * does not exist is `absent: true` (the broker's 404 to basic.consume).
   */
  closed(end: { scope: ClosedScope; error?: BatonError; absent?: boolean }): void;
}

/** What happens to a channel's second consumer; its end is that of the channel. */
export type AlsoListener = Pick<ConsumerListener, 'delivered' | 'cancelled'>;

/**
 * One contender's own channel. All methods are synchronous, never throw, and do nothing once it is closed.
 * It can be used at once: until the channel exists, only `close` has an effect, and then nothing is opened.
 */
export interface ConsumerChannel {
  /** basic.nack(requeue=true), multiple=false. */
  requeue(deliveryTag: number): void;
  /** basic.reject(requeue=true): the same, but counted like a crash from 4.3 on. */
  reject(deliveryTag: number): void;
  /**
   * Consumes from a second queue with a prefetch of its own; delivery tags are those of the channel. A queue that is
   * not there ends the channel with `absent`.
   */
  consumeAlso(queue: string, consumerTag: string, prefetch: number, listener: AlsoListener): void;
  /** basic.ack, multiple=false. For probes, foreign messages, outdated state; a token only after a purge (replacing.ts). */
  ack(deliveryTag: number): void;
  /**
   * A passive declare on this channel. Resolves with its answer, or with undefined when the channel ends
   * first. Never rejects.
   */
  barrier(): Promise<QueueDepth | undefined>;
  /** channel.close without waiting; `closed` follows when the broker has answered or the connection died. */
  close(): void;
}

/** The broker as the protocol uses it: RabbitMQ, the in-memory broker and the simulator implement it. */
export interface LockBroker {
  /**
   * Passive declare on a connection that never publishes. Waits for a connection while there is none.
   * Rejects only with {@link BatonError}.
   */
  look(queue: string): Promise<QueueDepth | 'absent'>;
  /**
   * Declares the queue of a lock or of a register with the arguments of topology.ts; the broker deletes it when it had
   * no consumer for `idleExpiryMs` (default: never). Rejects with QueueMismatchError on 406.
   */
  declare(queue: string, idleExpiryMs?: number): Promise<QueueDepth>;
  /** Drops the ready messages; those that a consumer has stay. Rejects with a retryable error when there is no such queue. */
  purge(queue: string): Promise<void>;
  /**
   * Publishes a persistent message through the default exchange, mandatory and confirmed; resolves on the
   * confirm. Rejects with a retryable error when the broker returned it (no such queue) or refused it.
   */
  publish(queue: string, body: Uint8Array, options?: { expirationMs?: number }): Promise<void>;
  /** Opens a fresh channel with prefetch 1 and consumes. Waits for a connection while there is none. */
  consume(queue: string, consumerTag: string, listener: ConsumerListener): ConsumerChannel;
}

/** What operators can read of a hold while it lasts. */
export interface HoldNotice {
  readonly queue: string;
  /** Of the holder's consumer: tells a hold of now from one that its holder only believes in. */
  readonly consumerTag: string;
  readonly fence: bigint;
  /** When it was granted, epoch milliseconds of the holder's clock. */
  readonly since: number;
}

/** States of a session with the broker, as `coordinator.on('state')` reports them. */
export type SessionState = 'connecting' | 'open' | 'blocked' | 'reconnecting' | 'closed';

export interface SessionStateChange {
  readonly from: SessionState;
  readonly to: SessionState;
  readonly error?: BatonError;
}

/** A live {@link LockBroker} that owns its connections. */
export interface LockSession extends LockBroker {
  readonly state: SessionState;
  /** What stands in the way of a call that has no answer, if that is known: a limit, or why there is no connection. */
  readonly obstacle?: BatonError | undefined;
  /** Of the broker that was connected to last. */
  readonly traits: BrokerTraits;
  /** Deletes the queue whatever it holds; a queue that is not there counts as deleted. For people: no protocol does it. */
  remove(queue: string): Promise<void>;
  onStateChange(listener: (change: SessionStateChange) => void): void;
  /** Under the lock connections: a process that has a duplicate of them keeps the broker from noticing that this process died. */
  readonly lockSockets?: readonly Socket[];
  /**
   * Puts a notice where the broker's own tools show it, and returns a function that takes it away. Nothing depends on
   * it: it never throws, and a session that cannot do it does nothing.
   */
  announce?(notice: HoldNotice): () => void;
  /**
   * Closes every connection, gracefully where the broker answers, by destroying sockets where it does not.
   * Resolves within `timeoutMs`. Every open channel gets `closed`; calls under way and later ones reject
   * with ClosedError. Idempotent.
   */
  close(timeoutMs: number): Promise<void>;
}
