import { performance } from 'node:perf_hooks';
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
import type { BrokerUrls, Settings } from '../options.ts';
import { type BrokerAddress, labelOf, parseAddresses, withLogin } from './address.ts';
import { dialAmqp } from './amqp.ts';
import { dialFault } from './faults.ts';
import { Link } from './link.ts';
import type { BrokerTraits } from './port.ts';

/** What a connection is for; part of the name that the broker's own tools show. */
export type Role = 'locks' | 'service' | 'publisher';

const DEFAULT_HEARTBEAT_MS = 10_000;
const OLDEST: readonly [number, number] = [3, 10];
/** How long a broker that turned out to be unfit may take to answer our connection.close. */
const FAREWELL_MS = 200;

/** `[major, minor, patch]` of `3.10.8`, `4.1.0-rc.1`, …; undefined when it is nothing of the kind. */
export function parseVersion(text: string): BrokerTraits['version'] | undefined {
  const [, major, minor, patch] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor), Number(patch ?? 0)];
}

/** A link that passed every check, and what it found out. */
export interface CheckedLink {
  readonly link: Link;
  readonly traits: BrokerTraits;
}

/** Turns URLs and settings into links: each dial asks for the URLs anew and tries them in turn. */
export class Dialer {
  readonly #urls: BrokerUrls;
  readonly #settings: Settings;

  constructor(urls: BrokerUrls, settings: Settings) {
    this.#urls = urls;
    this.#settings = settings;
  }

  /**
   * Rejects with the most telling of the failures, each host's named, by `deadline` on the monotonic clock
   * (default: `connectTimeoutMs` from now). Aborting the signal rejects with ClosedError at once.
   */
  async dial(role: Role, signal: AbortSignal, deadline = this.deadline()): Promise<CheckedLink> {
    const credentials = Reflect.get(this.#settings.socketOptions, 'credentials') as unknown;
    const given = await this.#addresses(signal, deadline);
    const addresses = given.map((address) => withLogin(address, credentials));
    const failures: BatonError[] = [];
    for (const [index, address] of addresses.entries()) {
      // A host that swallows packets must leave time for the hosts after it.
      const share = Math.max(0, deadline - performance.now()) / (addresses.length - index);
      try {
        return await this.#dialOne(address, role, signal, share);
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

  async #addresses(signal: AbortSignal, deadline: number): Promise<BrokerAddress[]> {
    const urls = this.#urls;
    if (typeof urls !== 'function') return parseAddresses(urls);
    const bound = new Bound(signal, deadline - performance.now());
    try {
      return parseAddresses(await Promise.race([bound.expired, Promise.resolve().then(urls)]));
    } catch (error) {
      if (signal.aborted) throw closed();
      if (isBatonError(error)) throw error;
      const why = bound.signal.aborted ? 'did not answer in time' : 'failed; see the cause';
      throw new BrokerUnreachableError(`The function that returns the broker's URLs ${why}`, {
        cause: error,
      });
    } finally {
      bound.release();
    }
  }

  async #dialOne(
    address: BrokerAddress,
    role: Role,
    signal: AbortSignal,
    timeoutMs: number,
  ): Promise<CheckedLink> {
    const { service, socketOptions, heartbeatMs } = this.#settings;
    const bound = new Bound(signal, timeoutMs);
    let link: Link;
    try {
      const dialled = await dialAmqp({
        address,
        heartbeatMs: heartbeatMs ?? address.heartbeatMs ?? DEFAULT_HEARTBEAT_MS,
        connectionName: `batonmq ${service} ${role}`,
        socketOptions,
        signal: bound.signal,
      });
      link = new Link(dialled, address);
      if (bound.signal.aborted) throw new Error('aborted in the moment of success');
    } catch (error) {
      if (!bound.signal.aborted) throw error;
      const sentence = `The broker at ${labelOf(address)} did not answer within ${Math.ceil(timeoutMs)} ms`;
      throw new BrokerUnreachableError(`${sentence}; check host, port and firewall`);
    } finally {
      bound.release();
    }
    try {
      return { link, traits: this.#check(link) };
    } catch (error) {
      await link.close(FAREWELL_MS);
      throw error;
    }
  }

  #check({ dialled, address }: Link): BrokerTraits {
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

/** A signal that is aborted by another one or after some time, whichever is first. */
class Bound {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #outer: AbortSignal;
  readonly #abort = () => this.#controller.abort();

  constructor(outer: AbortSignal, timeoutMs: number) {
    this.#outer = outer;
    this.#timer = setTimeout(this.#abort, Math.max(0, timeoutMs));
    outer.addEventListener('abort', this.#abort);
    if (outer.aborted) this.#abort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Rejects when the signal is aborted. */
  get expired(): Promise<never> {
    const { signal } = this;
    return new Promise((_, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  }

  /** Must be called: a dial that succeeded may not be aborted afterwards. */
  release(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener('abort', this.#abort);
  }
}

const closed = () => new ClosedError('The session was closed while it was connecting');

/** What is wrong with our own options or rights says more than a host that is down. */
const TELLING: readonly BatonErrorCode[] = ['invalid-options', 'access-refused', 'unsupported-broker'];

function mostTelling(addresses: readonly BrokerAddress[], failures: readonly BatonError[]): BatonError {
  const cause =
    TELLING.map((code) => failures.find((failure) => failure.code === code)).find(isBatonError) ??
    failures[0];
  if (cause !== undefined && failures.length === 1) return cause;
  const hosts = addresses.map((address, index) => `${labelOf(address)}: ${failures[index]?.message}`);
  const message = `None of ${addresses.length} brokers could be used. ${hosts.join('. ')}`;
  if (cause instanceof InvalidOptionsError) return new InvalidOptionsError([message], { cause });
  if (cause instanceof AccessRefusedError) return new AccessRefusedError(message, { cause });
  if (cause instanceof UnsupportedBrokerError) return new UnsupportedBrokerError(message, { cause });
  return new BrokerUnreachableError(message, { cause });
}
