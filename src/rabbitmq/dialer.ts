import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import {
  AccessRefusedError,
  type BatonError,
  type BatonErrorCode,
  BrokerUnreachableError,
  ClosedError,
  InvalidOptionsError,
  isBatonError,
  UnsupportedBrokerError,
} from '../errors.ts';
import type { Settings } from '../options.ts';
import type { BrokerTraits } from '../protocol/port.ts';
import type { BrokerUrls } from '../urls.ts';
import { type BrokerAddress, Destination, labelOf } from './address.ts';
import { dialAmqp } from './amqplib.ts';
import { Connection, FAREWELL_MS } from './connection.ts';
import { dialFault, isRefusedLogin, mayPass } from './error-translation.ts';
import { keepRenewed } from './renewal.ts';
import { Bound, backoffMs } from './timing.ts';

/** What a connection is for; part of the name that the broker's own tools show. */
export type Role = 'locks' | 'service' | 'publisher' | 'declare' | 'trial';

const DEFAULT_HEARTBEAT_MS = 10_000;
const OLDEST: readonly [number, number] = [3, 10];

/** `[major, minor, patch]` of `3.10.8`, `4.1.0-rc.1`, …; undefined when it is nothing of the kind. */
export function parseVersion(text: string): BrokerTraits['version'] | undefined {
  const [, major, minor, patch] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor), Number(patch ?? 0)];
}

/** A connection that passed every check, and what it found out. */
export interface CheckedConnection {
  readonly connection: Connection;
  readonly traits: BrokerTraits;
}

/** A round that has less time would tell nothing of the broker. */
const LEAST_ROUND_MS = 250;

/** Turns URLs and settings into connections: each dial asks for URLs and socketOptions again and tries the hosts in turn. */
export class Dialer {
  readonly #destination: Destination;
  readonly #settings: Settings;

  constructor(urls: BrokerUrls, settings: Settings) {
    this.#destination = new Destination(urls, settings.socketOptions);
    this.#settings = settings;
  }

  /**
   * Dials again and again until a host takes us or the time is over; rejects at once for what does not pass by itself.
   * The error names the last failure of each host, and how long was tried.
   */
  async reach(role: Role, signal: AbortSignal, deadline: number): Promise<CheckedConnection> {
    const started = performance.now();
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.dial(role, signal, deadline);
      } catch (error) {
        const now = performance.now();
        const left = deadline - LEAST_ROUND_MS - now;
        if (!mayPass(error) || left <= 0)
          throw attempt === 0 ? error : triedFor(error, attempt + 1, now - started);
        this.#settings.logger.warn({ err: error, role }, 'cannot connect to the broker; trying again');
        await delay(Math.min(backoffMs(attempt), left), undefined, { signal }).catch(() => {});
        if (signal.aborted) throw closed();
      }
    }
  }

  /**
   * Rejects with the most telling of the failures, each host's named, by `deadline` on the monotonic clock
   * (default: `connectTimeoutMs` from now). Aborting the signal rejects with ClosedError at once.
   */
  async dial(role: Role, signal: AbortSignal, deadline = this.deadline()): Promise<CheckedConnection> {
    const { addresses, socketOptions } = await this.#destination.ask(signal, deadline - performance.now());
    const failures: BatonError[] = [];
    for (const [index, address] of addresses.entries()) {
      // A host that swallows packets must leave time for the hosts after it.
      const share = Math.max(0, deadline - performance.now()) / (addresses.length - index);
      try {
        const checked = await this.#dialOne(address, socketOptions, role, signal, share);
        this.#renew(checked.connection);
        return checked;
      } catch (error) {
        failures.push(dialFault(error, address));
        if (signal.aborted) throw closed();
      }
    }
    throw mostTelling(addresses, failures);
  }

  /** When a dial that begins now must have ended. */
  deadline(): number {
    return performance.now() + this.#settings.connectTimeoutMs;
  }

  /** What a connection shall have from now on, tried on a connection of its own. */
  async #freshCredentials(held: BrokerAddress, signal: AbortSignal, mostMs: number): Promise<BrokerAddress> {
    const deadline = Math.min(this.deadline(), performance.now() + mostMs);
    const { addresses, socketOptions } = await this.#destination.ask(signal, deadline - performance.now());
    const address = addresses.find((it) => labelOf(it) === labelOf(held)) ?? addresses[0];
    if (address === undefined || address.password === held.password) return address ?? held;
    try {
      const timeoutMs = deadline - performance.now();
      const { connection } = await this.#dialOne(address, socketOptions, 'trial', signal, timeoutMs);
      await connection.close(FAREWELL_MS);
    } catch (error) {
      // The old credentials are good for some time yet, and a refused secret would end the connection (3.10.8 to 4.3.6).
      // Any other failure, such as a limit of connections, says nothing about the new ones.
      if (isRefusedLogin(error)) throw dialFault(error, address);
    }
    return address;
  }

  async #dialOne(
    address: BrokerAddress,
    socketOptions: object,
    role: Role,
    signal: AbortSignal,
    timeoutMs: number,
  ): Promise<CheckedConnection> {
    const { service, heartbeatMs } = this.#settings;
    const bound = new Bound(signal, timeoutMs);
    let connection: Connection;
    try {
      const dialled = await dialAmqp({
        address,
        heartbeatMs: heartbeatMs ?? address.heartbeatMs ?? DEFAULT_HEARTBEAT_MS,
        connectionName: `batonmq ${service} ${role}`,
        socketOptions,
        signal: bound.signal,
      });
      connection = new Connection(dialled, address);
      if (bound.signal.aborted) throw new Error('aborted in the moment of success');
    } catch (error) {
      if (!bound.signal.aborted) throw error;
      const sentence = `The broker at ${labelOf(address)} did not answer within ${Math.ceil(timeoutMs)} ms`;
      throw new BrokerUnreachableError(`${sentence}; check host, port and firewall`);
    } finally {
      bound.release();
    }
    try {
      return { connection, traits: this.#check(connection) };
    } catch (error) {
      await connection.close(FAREWELL_MS);
      throw error;
    }
  }

  #renew(connection: Connection): void {
    const { expiresAt } = connection.address;
    if (expiresAt === undefined) return;
    const { logger } = this.#settings;
    if (this.#destination.isFixed) {
      const advice = 'have urls be a function, and they are renewed';
      logger.warn(
        { expiresAt },
        `the credentials expire, and with them this connection and its leases: ${advice}`,
      );
      return;
    }
    void keepRenewed(connection, (...asked) => this.#freshCredentials(...asked), logger);
  }

  #check({ dialled, address }: Connection): BrokerTraits {
    const peer = labelOf(address);
    const version = parseVersion(dialled.version);
    const [major, minor] = version ?? [0, 0];
    const old = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
    if (dialled.product !== 'RabbitMQ' || version === undefined || old) {
      const is = `${dialled.product} ${dialled.version}`.slice(0, 80);
      throw new UnsupportedBrokerError(`batonmq needs RabbitMQ 3.10 or newer; ${peer} is ${is}`);
    }
    if (dialled.heartbeatMs === 0) {
      const advice = 'without them a dead holder is never noticed; turn them on at the broker';
      throw new UnsupportedBrokerError(`The broker at ${peer} turned heartbeats off; ${advice}`);
    }
    const { leaseMs } = this.#settings;
    if (leaseMs >= 2 * dialled.heartbeatMs) {
      // The broker drops a silent client after two to three intervals: the holder must have given up by then.
      const negotiated = `the heartbeat negotiated with ${peer} (${dialled.heartbeatMs} ms)`;
      throw new InvalidOptionsError([`connect: leaseMs must be under twice ${negotiated}, got ${leaseMs}`]);
    }
    return { version };
  }
}

const closed = () => new ClosedError('The session was closed while it was connecting');

/** What is wrong with our own options or rights says more than a host that is down. */
const TELLING: readonly BatonErrorCode[] = ['invalid-options', 'access-refused', 'unsupported-broker'];

/** The same error, with how long it stood in the way. */
function triedFor(error: unknown, times: number, ms: number): unknown {
  if (!(error instanceof BrokerUnreachableError)) return error;
  const message = `${error.message} (tried ${times} times in ${(ms / 1_000).toFixed(1)} s)`;
  return new BrokerUnreachableError(message, { cause: error.cause });
}

function mostTelling(addresses: readonly BrokerAddress[], failures: readonly BatonError[]): BatonError {
  const cause =
    TELLING.map((code) => failures.find((failure) => failure.code === code)).find(isBatonError) ??
    failures.find(mayPass) ??
    failures[0];
  if (cause !== undefined && failures.length === 1) return cause;
  const hosts = addresses.map((address, index) => `${labelOf(address)}: ${failures[index]?.message}`);
  const message = `None of ${addresses.length} brokers could be used. ${hosts.join('. ')}`;
  if (cause instanceof InvalidOptionsError) return new InvalidOptionsError([message], { cause });
  if (cause instanceof AccessRefusedError) return new AccessRefusedError(message, { cause });
  if (cause instanceof UnsupportedBrokerError) return new UnsupportedBrokerError(message, { cause });
  return new BrokerUnreachableError(message, { cause });
}
