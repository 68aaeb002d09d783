import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { type BatonError, BrokerUnreachableError, ClosedError, isBatonError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { backoffMs } from './backoff.ts';
import type { ChannelBudget } from './channel-budget.ts';
import type { CheckedLink, Dialer, Role } from './dialer.ts';
import type { Link } from './link.ts';
import type { BrokerTraits } from './port.ts';

/** A link that lived this long was a good one: the next loss begins again with the shortest delay. */
const SETTLED_MS = 1_000;

/** What a keeper tells the session; never after `close` was called. */
export interface KeeperEvents {
  up(link: Link, traits: BrokerTraits): void;
  /** A link that was up is gone; another one is being dialled. */
  lost(error: BatonError): void;
  /** What the failure of an attempt to connect means, given what else is known. */
  explain(error: BatonError): BatonError;
  /** An attempt to connect failed; it goes on trying. */
  failed(error: BatonError): void;
  /** The credentials of an open link could not be renewed; it goes on trying. */
  unrenewed(error: BatonError): void;
  blocked(): void;
  /** A channel number is free again. */
  released(): void;
}

/** Keeps one connection of a role alive for ever: what dies unexpectedly is replaced by a new link. */
export class LinkKeeper {
  readonly #dialer: Dialer;
  readonly #role: Role;
  readonly #logger: Logger;
  readonly #events: KeeperEvents;
  readonly #budget: ChannelBudget;
  readonly #abort = new AbortController();
  /** The latest one, dead or alive: closing waits for the socket of a dead one too. */
  #link: Link | undefined;
  #lost = false;
  #failure: BatonError | undefined;
  #blocked = false;
  #attempt = 0;
  #dialling: Promise<void> | undefined;
  #waiting: { resolve(link: Link): void; reject(error: BatonError): void }[] = [];
  #closing: Promise<void> | undefined;

  constructor(dialer: Dialer, role: Role, logger: Logger, budget: ChannelBudget, events: KeeperEvents) {
    this.#dialer = dialer;
    this.#role = role;
    this.#logger = logger;
    this.#budget = budget;
    this.#events = events;
  }

  /** Undefined while there is none. */
  get link(): Link | undefined {
    return this.#link?.ended === false ? this.#link : undefined;
  }

  /** Whether a link that was up is being replaced. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Why the latest attempt to connect failed; undefined once one has succeeded. */
  get failure(): BatonError | undefined {
    return this.#failure;
  }

  /** Whether the broker stopped reading from the link, because it published during an alarm. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Dials, unless there is a link or a dial under way. */
  start(): void {
    if (this.link === undefined && !this.#abort.signal.aborted) this.#dialling ??= this.#dial(false);
  }

  /** The link, as soon as there is one; dials when nobody has yet. Rejects with ClosedError only. */
  current(): Promise<Link> {
    if (this.#abort.signal.aborted) return Promise.reject(closed());
    const { link } = this;
    if (link !== undefined) return Promise.resolve(link);
    this.start();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Takes a link that was dialled elsewhere. */
  adopt({ link, traits }: CheckedLink): void {
    const since = performance.now();
    this.#link = link;
    this.#lost = false;
    this.#failure = undefined;
    link.attach(
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
    if (link.ended) return;
    this.#events.up(link, traits);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve } of waiting) resolve(link);
  }

  /** Closes the link and ends every attempt to make another one. Resolves when the socket is gone. */
  close(timeoutMs: number): Promise<void> {
    this.#closing ??= (async () => {
      this.#abort.abort();
      for (const { reject } of this.#waiting) reject(closed());
      this.#waiting = [];
      await Promise.all([this.#link?.close(timeoutMs), this.#dialling]);
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
      if (signal.aborted) return checked.link.close(0);
      this.#logger.info({ role: this.#role }, 'connected to the broker');
      // Before adopting: a link that is dead on arrival begins the next dial.
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
