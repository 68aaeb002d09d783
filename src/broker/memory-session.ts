import { soon } from '../callbacks.ts';
import { type BatonError, BrokerUnreachableError, ClosedError } from '../errors.ts';
import { absentQueue } from './memory-broker-channel.ts';
import { MemoryChannel } from './memory-channel.ts';
import { Connection } from './memory-connection.ts';
import type { MemoryNode, Reply } from './memory-node.ts';
import type {
  BrokerTraits,
  ConsumerChannel,
  ConsumerListener,
  LockSession,
  QueueDepth,
  SessionState,
  SessionStateChange,
} from './port.ts';

const closedError = () => new ClosedError('the session with the in-memory broker is closed');
const lostError = (why: string) =>
  new BrokerUnreachableError(`the connection to the in-memory broker was lost: ${why}`);

/** One client's session with a {@link MemoryBroker}: one connection at a time, and the hooks that break it. */
export class MemorySession implements LockSession {
  readonly #node: MemoryNode;
  readonly #listeners: ((change: SessionStateChange) => void)[] = [];
  readonly #channels = new Set<MemoryChannel>();
  /** Calls without an answer yet, sent or not. */
  readonly #calls = new Map<(error: BatonError) => void, 'waiting' | 'sent'>();
  /** What to send when there is a connection again, in the order in which it was asked for. */
  #waiting: ((connection: Connection) => void)[] = [];
  #connection: Connection | undefined;
  #state: SessionState = 'open';
  #delayMs = 0;
  #frozen = false;
  #reconnectAfterMs = 0;
  #reconnectAtMono = 0;
  #cancelReconnect: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #finishClosing: (() => void) | undefined;

  constructor(node: MemoryNode) {
    this.#node = node;
    this.#open();
  }

  get state(): SessionState {
    return this.#state;
  }

  get traits(): BrokerTraits {
    return this.#node.traits;
  }

  onStateChange(listener: (change: SessionStateChange) => void): void {
    this.#listeners.push(listener);
  }

  look(queue: string): Promise<QueueDepth | 'absent'> {
    return this.#call((_, reply) => reply.resolve(this.#node.look(queue)));
  }

  declare(queue: string, idleExpiryMs?: number): Promise<QueueDepth> {
    return this.#call((_, reply) => this.#node.declare(queue, idleExpiryMs, reply));
  }

  purge(queue: string): Promise<void> {
    return this.#call((_, reply) => {
      const found = this.#node.find(queue);
      found?.purge();
      if (found === undefined) reply.reject(absentQueue(queue));
      else reply.resolve();
    });
  }

  remove(queue: string): Promise<void> {
    return this.#call((_, reply) => {
      this.#node.remove(queue);
      reply.resolve();
    });
  }

  publish(queue: string, body: Uint8Array, options?: { expirationMs?: number }): Promise<void> {
    const copy = new Uint8Array(body);
    const expirationMs = options?.expirationMs ?? Number.POSITIVE_INFINITY;
    return this.#call((connection, reply) =>
      this.#node.publish(connection, queue, copy, expirationMs, reply),
    );
  }

  consume(queue: string, consumerTag: string, listener: ConsumerListener): ConsumerChannel {
    const channel = new MemoryChannel(listener, (ended) => this.#channels.delete(ended));
    if (this.#closing !== undefined) {
      channel.mute();
      soon(() => channel.end({ scope: 'connection', error: closedError() }));
      return channel;
    }
    this.#channels.add(channel);
    this.#whenOpen((connection) => channel.open(connection, this.#node, queue, consumerTag));
    return channel;
  }

  close(timeoutMs: number): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#cancelReconnect?.();
      this.#waiting = [];
      for (const channel of this.#channels) channel.mute();
      this.#failCalls(closedError());
      const connection = this.#connection;
      const node = this.#node;
      const finish = () => {
        this.#finishClosing = undefined;
        cancelTimer();
        connection?.down.cut();
        this.#setState('closed');
        for (const channel of [...this.#channels]) channel.end({ scope: 'connection' });
        resolve();
      };
      this.#finishClosing = finish;
      const cancelTimer = node.clock.setTimer(node.clock.now().mono + timeoutMs, () =>
        this.#finishClosing?.(),
      );
      if (connection === undefined) soon(() => this.#finishClosing?.());
      connection?.up.send(() => {
        node.hangUp([connection]);
        connection.down.send(() => this.#finishClosing?.());
      });
    });
    return this.#closing;
  }

  /**
   * Fault: the connection breaks; the broker returns what the session held, and the session notices. It
   * connects again by itself after `reconnectAfterMs`: at once by default, on {@link reconnect} with Infinity.
   */
  disconnect(options?: { reconnectAfterMs?: number }): void {
    this.#reconnectAfterMs = options?.reconnectAfterMs ?? 0;
    if (this.#connection === undefined) {
      this.#scheduleReconnect();
    } else {
      this.#node.hangUp([this.#connection]);
      this.#connection.destroy(lostError('disconnected'));
    }
  }

  /** Connects again now, ahead of time. A frozen session does so when it is thawed. */
  reconnect(): void {
    this.#reconnectAfterMs = 0;
    if (this.#connection === undefined) this.#scheduleReconnect();
  }

  /** Fault: nothing moves any more, either way, and neither side is told; frames pile up in order. */
  freeze(): void {
    this.#frozen = true;
    this.#connection?.freeze();
  }

  /** The frames that piled up flow, in order. */
  thaw(): void {
    this.#frozen = false;
    this.#connection?.thaw();
    if (this.#connection === undefined) this.#reconnectWhenDue();
  }

  /** Fault: every later frame takes `delayMs`, each way. Never overtakes an earlier one. */
  delay(delayMs: number): void {
    this.#delayMs = delayMs;
    this.#connection?.delay(delayMs);
  }

  /**
   * Fault: the broker gives the frozen session up (missed heartbeats): it returns what the session held and
   * serves the next waiter. The session learns it when it is thawed, after the frames that were under way.
   */
  dropFrozen(): void {
    if (!this.#frozen) throw new Error('dropFrozen: the session is not frozen; freeze() it first');
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#node.hangUp([connection]);
    connection.closeByBroker(lostError('the broker missed heartbeats'));
  }

  #call<T>(serve: (connection: Connection, reply: Reply<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#closing !== undefined) return reject(closedError());
      this.#calls.set(reject, 'waiting');
      this.#whenOpen((connection) => {
        this.#calls.set(reject, 'sent');
        const answer = (settle: () => void) =>
          connection.down.send(() => {
            this.#calls.delete(reject);
            settle();
          });
        connection.up.send(() =>
          serve(connection, {
            resolve: (value) => answer(() => resolve(value)),
            reject: (error) => answer(() => reject(error)),
          }),
        );
      });
    });
  }

  #whenOpen(send: (connection: Connection) => void): void {
    if (this.#connection === undefined) this.#waiting.push(send);
    else send(this.#connection);
  }

  #open(): void {
    const connection = new Connection(this.#node.clock, this.#delayMs, {
      blocked: (on) => this.#setState(on ? 'blocked' : 'open'),
      lost: (error) => this.#lost(connection, error),
    });
    this.#connection = connection;
    this.#reconnectAfterMs = 0;
    this.#node.connections.add(connection);
    this.#setState('open');
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const send of waiting) send(connection);
  }

  #lost(connection: Connection, error: BatonError): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    if (this.#closing !== undefined) {
      this.#finishClosing?.();
      return;
    }
    this.#setState('reconnecting', error);
    this.#failCalls(error, 'sent');
    for (const channel of [...this.#channels]) {
      if (!channel.waiting) channel.end({ scope: 'connection', error });
    }
    this.#scheduleReconnect();
  }

  #scheduleReconnect(): void {
    this.#reconnectAtMono = this.#node.clock.now().mono + this.#reconnectAfterMs;
    this.#reconnectWhenDue();
  }

  #reconnectWhenDue(): void {
    this.#cancelReconnect?.();
    this.#cancelReconnect = undefined;
    const at = this.#reconnectAtMono;
    if (at === Number.POSITIVE_INFINITY) return;
    const open = () => {
      if (this.#connection === undefined && this.#closing === undefined && !this.#frozen) this.#open();
    };
    if (at <= this.#node.clock.now().mono) soon(open);
    else if (this.#closing === undefined) this.#cancelReconnect = this.#node.clock.setTimer(at, open);
  }

  #failCalls(error: BatonError, only?: 'sent'): void {
    for (const [fail, progress] of this.#calls) {
      if (only !== undefined && progress !== only) continue;
      this.#calls.delete(fail);
      fail(error);
    }
  }

  #setState(to: SessionState, error?: BatonError): void {
    const from = this.#state;
    if (from === to || from === 'closed') return;
    this.#state = to;
    const change: SessionStateChange = error === undefined ? { from, to } : { from, to, error };
    for (const listener of this.#listeners) listener(change);
  }
}
