import type { Socket } from 'node:net';
import { type BatonError, ClosedError, isBatonError, ResourceLimitError } from '../errors.ts';
import type { Settings } from '../options.ts';
import type {
  BrokerTraits,
  ConsumerChannel,
  ConsumerListener,
  HoldNotice,
  LockSession,
  QueueDepth,
  SessionState,
  SessionStateChange,
} from '../protocol/port.ts';
import type { BrokerUrls } from '../urls.ts';
import type { ConnectionChannel, PublishingChannel } from './channel.ts';
import { ChannelBudget } from './channel-budget.ts';
import { ChannelPool } from './channel-pool.ts';
import { FAREWELL_MS } from './connection.ts';
import { Declarations } from './declarations.ts';
import { type CheckedConnection, Dialer, type Role } from './dialer.ts';
import {
  type Action,
  anotherConnectionFault,
  channelFault,
  isAbsence,
  QueueGoneError,
} from './error-translation.ts';
import { HoldNotices } from './hold-notices.ts';
import { LockConnections } from './lock-connections.ts';
import { ReconnectingConnection, type ReconnectingEvents } from './reconnecting-connection.ts';

/**
 * Connects to RabbitMQ: a lock connection and a service connection; one for publishing follows on first need, and
 * further lock connections when the channels of one run out.
 * `connectTimeoutMs` is for both connections and all URLs: a failure that can pass is tried again until then, any other
 * is told at once. A connection that dies later is replaced, without end: 50 to 100 ms after the loss at first, 2.5 to
 * 5 s at last.
 *
 * @throws {BrokerUnreachableError} nobody answered in time, or not as a broker does
 * @throws {AccessRefusedError} user, password or virtual host were refused
 * @throws {ResourceLimitError} the user or the virtual host may have one connection only
 * @throws {UnsupportedBrokerError} not RabbitMQ 3.10 or newer, or without heartbeats
 * @throws {InvalidOptionsError} a URL cannot be read, or `leaseMs` does not fit the negotiated heartbeat
 */
export async function connectSession(urls: BrokerUrls, settings: Settings): Promise<LockSession> {
  const dialer = new Dialer(urls, settings);
  const deadline = dialer.deadline();
  const never = new AbortController().signal;
  const locks = await dialer.reach('locks', never, deadline);
  try {
    return new AmqpSession(dialer, settings, locks, await dialer.reach('service', never, deadline));
  } catch (error) {
    await locks.connection.close(FAREWELL_MS);
    throw isBatonError(error) ? anotherConnectionFault(error) : error;
  }
}

class AmqpSession implements LockSession {
  readonly #settings: Settings;
  readonly #listeners: ((change: SessionStateChange) => void)[] = [];
  readonly #locks: LockConnections;
  readonly #service: ReconnectingConnection;
  readonly #publisher: ReconnectingConnection;
  readonly #services: ChannelPool<ConnectionChannel>;
  readonly #publishers: ChannelPool<PublishingChannel>;
  readonly #declarations: Declarations;
  readonly #notices: HoldNotices;
  /** Rejects the calls that have no answer yet. */
  readonly #calls = new Set<(error: BatonError) => void>();
  #state: SessionState = 'connecting';
  #traits: BrokerTraits;
  readonly #budget = new ChannelBudget();
  /** Codes of what was reported to stand in the way, since the state changed. */
  readonly #reported = new Set<string>();
  #closing: Promise<void> | undefined;

  constructor(dialer: Dialer, settings: Settings, locks: CheckedConnection, service: CheckedConnection) {
    this.#settings = settings;
    this.#traits = service.traits;
    const keep = (role: Role, own?: Pick<ReconnectingEvents, 'up' | 'lost' | 'released'>) =>
      new ReconnectingConnection(dialer, role, settings.logger, this.#budget, {
        up: (connection, traits) => {
          this.#traits = traits;
          own?.up(connection, traits);
          this.#refresh();
        },
        lost: (error) => {
          own?.lost(error);
          this.#refresh(error);
        },
        explain: (error) =>
          [this.#service, this.#publisher, ...this.#locks.shared].some(
            ({ open: connection }) => connection !== undefined,
          )
            ? anotherConnectionFault(error)
            : error,
        failed: (error) => this.#failed(error),
        unrenewed: (error) => this.#tell({ from: this.#state, to: this.#state, error }),
        blocked: () => this.#refresh(),
        released: () => own?.released(),
      });
    this.#notices = new HoldNotices(settings.namespace, settings.logger, this.#budget);
    this.#service = keep('service', {
      up: (connection) => {
        this.#notices.moveTo(connection);
        this.#budget.onChange();
      },
      lost() {},
      released() {},
    });
    // On a connection of its own: one that publishes during an alarm is not read any more (3.10.8 to 4.3.6), and
    // looks and deletions must go on.
    this.#publisher = keep('publisher');
    this.#services = new ChannelPool(this.#service, this.#budget, (connection) => connection.openChannel());
    this.#publishers = new ChannelPool(this.#publisher, this.#budget, (connection) =>
      connection.openConfirmChannel(),
    );
    this.#locks = new LockConnections(locks, settings.logger, this.#budget, (own) => keep('locks', own));
    this.#declarations = new Declarations(dialer, this.#services, this.#budget);
    this.#budget.trialConnection = () => this.#service.open;
    this.#budget.reserve = () =>
      [this.#service, this.#publisher].filter(({ open: connection }) => (connection?.channels ?? 0) === 0)
        .length;
    this.#budget.onChange = () => {
      this.#services.trim();
      this.#publishers.trim();
      this.#notices.trim();
      this.#locks.attach();
    };
    this.#service.adopt(service);
    this.#refresh();
  }

  get state(): SessionState {
    return this.#state;
  }

  get obstacle(): BatonError | undefined {
    const connections = [this.#publisher, this.#service, ...this.#locks.shared];
    return (
      this.#declarations.limit ??
      this.#budget.obstacle ??
      connections.find(({ failure }) => failure !== undefined)?.failure
    );
  }

  get traits(): BrokerTraits {
    return this.#traits;
  }

  get lockSockets(): readonly Socket[] {
    return this.#locks.sockets;
  }

  onStateChange(listener: (change: SessionStateChange) => void): void {
    this.#listeners.push(listener);
  }

  look(queue: string): Promise<QueueDepth | 'absent'> {
    return this.#call(async () => {
      try {
        return await this.#services.run((channel) => channel.depth(queue));
      } catch (error) {
        if (isAbsence(error)) return 'absent';
        throw channelFault(error, 'look', queue);
      }
    });
  }

  async declare(queue: string, idleExpiryMs?: number): Promise<QueueDepth> {
    try {
      return await this.#call(() => this.#declarations.declare(queue, idleExpiryMs));
    } catch (error) {
      if (error instanceof ResourceLimitError) this.#report(error);
      throw error;
    }
  }

  purge(queue: string): Promise<void> {
    return this.#onService('purge', queue, (channel) => channel.purge(queue));
  }

  remove(queue: string): Promise<void> {
    // RabbitMQ answers delete-ok for a queue that is not there (3.10.8 to 4.3.6).
    return this.#onService('remove', queue, (channel) => channel.remove(queue));
  }

  publish(queue: string, body: Uint8Array, options?: { expirationMs?: number }): Promise<void> {
    const copy = Uint8Array.from(body);
    return this.#call(async () => {
      try {
        const outcome = await this.#publishers.run((channel) =>
          channel.publish(queue, copy, options?.expirationMs),
        );
        if (outcome === 'confirmed') return;
      } catch (error) {
        throw channelFault(error, 'publish', queue);
      }
      throw new QueueGoneError(
        `The queue ${queue} does not exist, so a publish to it was returned; declare it`,
      );
    });
  }

  consume(queue: string, consumerTag: string, listener: ConsumerListener): ConsumerChannel {
    return this.#locks.consume(queue, consumerTag, listener);
  }

  announce(notice: HoldNotice): () => void {
    return this.#notices.post(notice);
  }

  close(timeoutMs: number): Promise<void> {
    this.#closing ??= (async () => {
      const parts = [this.#locks, this.#service, this.#publisher].map((part) => part.close(timeoutMs));
      this.#declarations.close();
      this.#budget.dispose();
      for (const reject of this.#calls) reject(closed());
      this.#calls.clear();
      await Promise.all(parts);
      this.#enter('closed');
    })();
    return this.#closing;
  }

  #onService<T>(action: Action, queue: string, work: (channel: ConnectionChannel) => Promise<T>): Promise<T> {
    return this.#call(async () => {
      try {
        return await this.#services.run(work);
      } catch (error) {
        throw channelFault(error, action, queue);
      }
    });
  }

  /** Lets close() reject the call at once, even when the line is frozen. */
  #call<T>(run: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#calls.add(reject);
      run()
        .finally(() => this.#calls.delete(reject))
        .then(resolve, reject);
    });
  }

  /** Permanent or not, it goes on trying: rights, limits and settings can be mended. */
  #failed(error: BatonError): void {
    this.#refresh(error);
    if (!error.retryable || error instanceof ResourceLimitError) this.#report(error);
  }

  /** Each kind of obstacle is told once in a state. */
  #report(error: BatonError): void {
    if (this.#closing !== undefined || this.#reported.has(error.code)) return;
    this.#reported.add(error.code);
    this.#tell({ from: this.#state, to: this.#state, error });
  }

  #refresh(error?: BatonError): void {
    // The first connections are adopted inside the constructor, before there is a session to speak of.
    if (this.#closing !== undefined || this.#service === undefined || this.#locks === undefined) return;
    const connections = [this.#service, this.#publisher, ...this.#locks.shared];
    // The publisher is opened on first need: without it no lock can be made.
    if (connections.some((connection) => connection.lost) || this.#publisher.failure !== undefined)
      this.#enter('reconnecting', error);
    else if (connections.some((connection) => connection.blocked)) this.#enter('blocked');
    else this.#enter('open');
  }

  #enter(to: SessionState, error?: BatonError): void {
    const from = this.#state;
    if (from === to) return;
    this.#state = to;
    this.#reported.clear();
    if (error !== undefined) this.#reported.add(error.code);
    this.#tell(error === undefined ? { from, to } : { from, to, error });
  }

  #tell(change: SessionStateChange): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        this.#settings.logger.error({ err: error, change }, 'a listener for the state threw');
      }
    }
  }
}

const closed = () => new ClosedError('The session with the broker is closed');
