import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { type BatonError, BrokerUnreachableError, ClosedError, isBatonError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { BrokerTraits } from '../protocol/port.ts';
import type { ChannelBudget } from './channel-budget.ts';
import type { Connection } from './connection.ts';
import type { CheckedConnection, Dialer, Role } from './dialer.ts';
import { backoffMs } from './timing.ts';

/** A connection that lived this long was a good one: the next loss begins again with the shortest delay. */
const SETTLED_MS = 1_000;

/** What it tells the session; never after `close` was called. */
export interface ReconnectingEvents {
  up(connection: Connection, traits: BrokerTraits): void;
  /** A connection that was up is gone; another one is being dialled. */
  lost(error: BatonError): void;
  /** What the failure of an attempt to connect means, given what else is known. */
  explain(error: BatonError): BatonError;
  /** An attempt to connect failed; it goes on trying. */
  failed(error: BatonError): void;
  /** The credentials of an open connection could not be renewed; it goes on trying. */
  unrenewed(error: BatonError): void;
  blocked(): void;
  /** A channel number is free again. */
  released(): void;
}

/** Keeps one connection of a role open: one that ends unexpectedly is replaced. */
export class ReconnectingConnection {
  readonly #dialer: Dialer;
  readonly #role: Role;
  readonly #logger: Logger;
  readonly #events: ReconnectingEvents;
  readonly #budget: ChannelBudget;
  readonly #abort = new AbortController();
  /** The latest one, dead or alive: closing waits for the socket of a dead one too. */
  #connection: Connection | undefined;
  #lost = false;
  #failure: BatonError | undefined;
  #blocked = false;
  #attempt = 0;
  #dialling: Promise<void> | undefined;
  #waiting: { resolve(connection: Connection): void; reject(error: BatonError): void }[] = [];
  #closing: Promise<void> | undefined;

  constructor(dialer: Dialer, role: Role, logger: Logger, budget: ChannelBudget, events: ReconnectingEvents) {
    this.#dialer = dialer;
    this.#role = role;
    this.#logger = logger;
    this.#budget = budget;
    this.#events = events;
  }

  /** Undefined while there is none. */
  get open(): Connection | undefined {
    return this.#connection?.ended === false ? this.#connection : undefined;
  }

  /** Whether a connection that was up is being replaced. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Why the latest attempt to connect failed; undefined once one has succeeded. */
  get failure(): BatonError | undefined {
    return this.#failure;
  }

  /** Whether the broker stopped reading from the connection, because it published during an alarm. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Dials, unless there is a connection or a dial under way. */
  start(): void {
    if (this.open === undefined && !this.#abort.signal.aborted) this.#dialling ??= this.#dial(false);
  }

  /** The connection, as soon as there is one; dials when nobody has yet. Rejects with ClosedError only. */
  current(): Promise<Connection> {
    if (this.#abort.signal.aborted) return Promise.reject(closed());
    const { open: connection } = this;
    if (connection !== undefined) return Promise.resolve(connection);
    this.start();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Takes a connection that was dialled elsewhere. */
  adopt({ connection, traits }: CheckedConnection): void {
    const since = performance.now();
    this.#connection = connection;
    this.#lost = false;
    this.#failure = undefined;
    connection.attach(
      {
        ended: (error) => this.#ended(error, performance.now() - since),
        blocked: (on) => {
          this.#blocked = on;
          if (!this.#abort.signal.aborted) this.#events.blocked();
        },
        released: () => this.#events.released(),
        unrenewed: (error) => {
          if (!this.#abort.signal.aborted) this.#events.unrenewed(error);
        },
      },
      this.#budget,
    );
    // It may have been dead on arrival.
    if (connection.ended) return;
    this.#events.up(connection, traits);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve } of waiting) resolve(connection);
  }

  /** Closes the connection and ends every attempt to make another one. Resolves when the socket is gone. */
  close(timeoutMs: number): Promise<void> {
    this.#closing ??= (async () => {
      this.#abort.abort();
      for (const { reject } of this.#waiting) reject(closed());
      this.#waiting = [];
      await Promise.all([this.#connection?.close(timeoutMs), this.#dialling]);
    })();
    return this.#closing;
  }

  #ended(error: BatonError | undefined, livedMs: number): void {
    this.#blocked = false;
    if (this.#abort.signal.aborted) return;
    this.#lost = true;
    if (livedMs >= SETTLED_MS) this.#attempt = 0;
    const why = error ?? new BrokerUnreachableError('The broker closed the connection');
    this.#logger.warn({ err: why, role: this.#role }, 'connection to the broker lost');
    this.#dialling ??= this.#dial(true);
    this.#events.lost(why);
  }

  async #dial(pauseFirst: boolean): Promise<void> {
    const { signal } = this.#abort;
    let pause = pauseFirst;
    while (!signal.aborted) {
      if (pause) await delay(backoffMs(this.#attempt++), undefined, { signal }).catch(() => {});
      pause = true;
      if (signal.aborted) return;
      const checked = await this.#dialer.dial(this.#role, signal).catch((error: unknown) => {
        if (!signal.aborted) this.#failed(error);
      });
      if (checked === undefined) continue;
      if (signal.aborted) return checked.connection.close(0);
      this.#logger.info({ role: this.#role }, 'connected to the broker');
      // Before adopting: a connection that is dead on arrival begins the next dial.
      this.#dialling = undefined;
      return this.adopt(checked);
    }
  }

  #failed(error: unknown): void {
    const why = this.#events.explain(
      isBatonError(error) ? error : new BrokerUnreachableError('Dialling failed', { cause: error }),
    );
    this.#logger.warn({ err: why, role: this.#role }, 'cannot connect to the broker; trying again');
    this.#failure = why;
    this.#events.failed(why);
  }
}

const closed = () => new ClosedError('The session with the broker is closed');
