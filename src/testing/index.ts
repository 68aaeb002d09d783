import { type Clock, systemClock } from '../clock.ts';
import { Coordinator } from '../coordinator.ts';
import { InvalidOptionsError } from '../errors.ts';
import { MemoryBroker, type MemorySession } from '../memory/broker.ts';
import { type ConnectOptions, parseConnectOptions, parseLockName } from '../options.ts';
import { lockPlace, registerQueueName } from '../protocol/queues.ts';
import { show } from '../validation.ts';
import { refuseHalfFakes } from './fake-timers.ts';

export type { Clock } from '../clock.ts';
export { ManualClock } from './manual-clock.ts';

/** Options of {@link TestBroker}. */
export interface TestBrokerOptions {
  /** Default: the system's, and so that of fake timers. Pass a ManualClock to move time by hand. */
  readonly clock?: Clock | undefined;
  /** The RabbitMQ version it plays, for what differs between them. Default: `[4, 3, 0]`. */
  readonly version?: readonly [number, number, number] | undefined;
}

/** Which lock a fault is for. */
export interface LockAddress {
  readonly name: string;
  /** Default: `default`. */
  readonly namespace?: string | undefined;
  /** As given to `connect`. Default: a queue for every name. */
  readonly slots?: number | undefined;
  /** Which of its two queues: the one with the token, or the register with its state. Default: `lock`. */
  readonly part?: 'lock' | 'register' | undefined;
}

/** The line between one coordinator and the broker. */
export type TestLine = Pick<
  MemorySession,
  'disconnect' | 'reconnect' | 'freeze' | 'thaw' | 'delay' | 'dropFrozen'
>;

/**
 * A broker in memory for your tests: the coordinators it connects run the same protocol code as with RabbitMQ, wait in
 * the same order and lose leases for the same reasons, and its hooks make happen what networks and operators do.
 *
 * @example
 * const broker = new TestBroker();
 * await using baton = broker.connect();
 * const lease = await baton.lock('invoice:42').acquire();
 * broker.loseLease(lease); // lease.signal aborts, the next waiter is granted
 */
export class TestBroker {
  readonly #clock: Clock;
  readonly #broker: MemoryBroker;
  readonly #sessions = new WeakMap<Coordinator, MemorySession>();

  constructor(options: TestBrokerOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#broker = new MemoryBroker({ clock: this.#clock, version: options.version });
  }

  /**
   * A coordinator of its own, as `connect` of `batonmq` gives one. Throws InvalidOptionsError; and TypeError when fake
   * timers move only half of the clock.
   */
  connect(options?: ConnectOptions): Coordinator {
    const settings = parseConnectOptions(options);
    if (this.#clock === systemClock) refuseHalfFakes();
    const session = this.#broker.connect();
    const coordinator = new Coordinator(session, settings, this.#clock);
    this.#sessions.set(coordinator, session);
    return coordinator;
  }

  /** The line of a coordinator of this broker, to break, freeze or slow it. */
  line(coordinator: Coordinator): TestLine {
    const session = this.#sessions.get(coordinator);
    if (session === undefined)
      throw new TypeError('line: this coordinator is not connected to this TestBroker');
    return session;
  }

  /**
   * Ends the hold of a lock at once: its lease is lost with `channel-closed` and the next waiter is granted. Where grants
   * are `verified`, on 4.3, that is a lease later.
   */
  loseLease(lock: LockAddress): void {
    this.#broker.closeChannel(queueOf(lock));
  }

  /**
   * Hands the lock to the next waiter and tells the holder nothing: it finds out with its next verification
   * (`superseded`). The next one is granted a lock with state only when the register was taken back as well, or let go.
   */
  takeBack(lock: LockAddress): void {
    this.#broker.takeBack(queueOf(lock));
  }

  /** Destroys the token at its next return, as a delivery-limit policy does: the lock heals. */
  destroyToken(lock: LockAddress): void {
    this.#broker.limitReached(queueOf(lock));
  }

  /**
   * Deletes the lock as an operator does: its lease is lost with `queue-deleted`, waiters recreate it. Where grants are
   * `verified`, on 4.3, coordinators that have seen the lock before are granted it a lease later. Without its
   * register the lock's memory is lost: the lease with `consumer-cancelled`, and the next one is `minted`.
   */
  deleteLock(lock: LockAddress): void {
    this.#broker.deleteQueue(queueOf(lock));
  }

  /** Purges the lock as an operator does: a token (or state) that nobody holds is destroyed, and heals. */
  purgeLock(lock: LockAddress): void {
    this.#broker.purge(queueOf(lock));
  }

  /** Puts a message into the lock's queue behind all others. Only the token of the lock itself is ever granted. */
  publish(lock: LockAddress, body: Uint8Array, options?: { returns?: number; expirationMs?: number }): void {
    this.#broker.publishRaw(queueOf(lock), body, options);
  }

  /** How many messages of the lock's queue nobody holds: 1 when the lock is free. */
  readyMessages(lock: LockAddress): number {
    return this.#broker.ready(queueOf(lock));
  }

  /** Whether the lock has a queue: false before it was first used, and once its idle expiry is over. */
  exists(lock: LockAddress): boolean {
    return this.#broker.exists(queueOf(lock));
  }

  /** Memory alarm on or off: new locks cannot be made, existing ones work at normal speed. */
  alarm(on: boolean): void {
    this.#broker.alarm(on);
  }

  /** Every connection is lost, queues and tokens stay, coordinators connect again. */
  restart(): void {
    this.#broker.restart();
  }
}

function queueOf(address: LockAddress): string {
  if (typeof address !== 'object' || address === null)
    throw new InvalidOptionsError([`lock must be an object with a name, got ${show(address)}`]);
  const { namespace, slots } = parseConnectOptions({ namespace: address.namespace, slots: address.slots });
  const name = parseLockName(address.name);
  const { part } = address;
  if (part !== undefined && part !== 'lock' && part !== 'register')
    throw new InvalidOptionsError([`part must be 'lock' or 'register', got ${show(part)}`]);
  return part === 'register' ? registerQueueName(namespace, name) : lockPlace(namespace, name, slots).queue;
}
