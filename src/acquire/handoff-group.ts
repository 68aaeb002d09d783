import { publish } from '../callbacks.ts';
import { waitingChannel } from '../diagnostics.ts';
import type { BatonError, LostReason } from '../errors.ts';
import type { Refusal, Rules } from '../protocol/contender/types.ts';
import type { Instant } from '../protocol/instant.ts';
import type { StatefulEvent } from '../protocol/register/step.ts';
import type { Handed } from '../protocol/register/types.ts';
import { Contender, type ContenderOwner } from './contender.ts';
import type { Context } from './context.ts';
import type { LockRecord } from './lock-records.ts';

/** What a lease needs to know and do about its hold. */
export interface HoldHandle {
  dispatch(event: StatefulEvent): void;
  /** Milliseconds, read from the clocks now. 0 when nothing is held any more. */
  readonly vouchedMs: number;
  readonly queue: string;
  readonly tag: string;
}

/** What a group tells a lease of the hold under it. */
export interface Holder {
  onProven(sentAt: Instant): void;
  onLost(reason: LostReason, cause: BatonError | undefined): void;
  onSaved(ticket: number): void;
  onSaveFailed(ticket: number, error: BatonError): void;
  /** Nothing of the hold is left, or another waiter of this process has it. */
  onEnded(): void;
}

/** An `acquire` that waits. It is told exactly one of the two. */
export interface LocalWaiter {
  granted(fence: bigint, handed: Handed | undefined, hold: HoldHandle): Holder;
  /** `inLine`: it is known that somebody else had the lock. */
  refused(refusal: Refusal, inLine: boolean): void;
}

interface GroupHome {
  readonly context: Context;
  readonly record: LockRecord;
  readonly rules: Rules;
  /** As its callers name it; with slots its token has another name. */
  readonly lock: string;
  /** How many waiters may be served, one after the other, before the lock goes back to the broker's queue. */
  readonly localBatch: number;
  /** The waiters that this group did not get to need another one. */
  rejoin(waiters: readonly LocalWaiter[]): void;
  /** Nothing is left of the group. */
  ended(group: HandoffGroup): void;
}

/** One place in the broker's queue, and the waiters of this process that share it, first come first served. */
export class HandoffGroup {
  readonly #home: GroupHome;
  readonly #contender: Contender;
  #waiters: LocalWaiter[] = [];
  #places: number;
  #holder: Holder | undefined;
  #retired = false;
  #wasInLine = false;

  constructor(home: GroupHome) {
    this.#home = home;
    this.#places = home.localBatch;
    const owner: ContenderOwner = {
      lock: home.lock,
      granted: (fence, handed) => this.#granted(fence, handed),
      refused: (refusal) => this.#refuseAll(refusal),
      proven: (sentAt) => this.#holder?.onProven(sentAt),
      lost: (reason, cause) => this.#lost(reason, cause),
      saved: (ticket) => this.#holder?.onSaved(ticket),
      saveFailed: (ticket, error) => this.#holder?.onSaveFailed(ticket, error),
      ended: () => {
        home.ended(this);
        this.#holder?.onEnded();
        this.#rejoinAll();
      },
    };
    this.#contender = new Contender(home.context, home.rules, home.record, owner);
  }

  /** Whether another waiter may join. */
  get hasPlace(): boolean {
    const { at } = this.#contender;
    return this.#places > 0 && !this.#retired && !isLeaving(at) && at !== 'released' && at !== 'lost';
  }

  get queue(): string {
    return this.#contender.queue;
  }

  get isLeased(): boolean {
    return this.#holder !== undefined && this.#contender.vouchedMs > 0;
  }

  get holds(): boolean {
    const { at } = this.#contender;
    return at === 'held' || at === 'verifying' || this.replaces || isLeaving(at);
  }

  /** A new token takes the place of the old one. */
  get replaces(): boolean {
    return this.#contender.at === 'renewing';
  }

  join(waiter: LocalWaiter): void {
    this.#places -= 1;
    this.#waiters.push(waiter);
    const { lock, context } = this.#home;
    if (this.#contender.at === 'idle') this.#contender.start();
    else publish(waitingChannel, { lock, service: context.identity.service });
  }

  /** The waiter's caller has gone: a timeout or an abort. */
  leave(waiter: LocalWaiter): void {
    if (!this.#waiters.includes(waiter)) return;
    this.#wasInLine = this.#holder !== undefined || this.#contender.isBehindHolder;
    if (this.#waiters.length === 1 && this.#holder === undefined) {
      this.#contender.dispatch({ type: 'give-up' });
    } else {
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
      waiter.refused({ why: 'gave-up' }, this.#wasInLine);
    }
  }

  /** The coordinator closes: nobody waits here any more; who holds may go on. */
  retire(): void {
    this.#retired = true;
    if (this.#holder === undefined) this.shutDown();
    else this.#refuseAll({ why: 'shutdown' });
  }

  shutDown(): void {
    this.#contender.dispatch({ type: 'shutdown' });
  }

  #granted(fence: bigint, handed: Handed | undefined): void {
    const waiter = this.#waiters.shift();
    const before = this.#holder;
    this.#holder = waiter?.granted(fence, handed, this.#hold());
    before?.onEnded();
    if (waiter === undefined) this.#contender.dispatch({ type: 'release' });
  }

  #hold(): HoldHandle {
    const contender = this.#contender;
    let released = false;
    return {
      dispatch: (event) => {
        if (released) return;
        released = event.type === 'release';
        if (released && this.#waiters.length > 0) this.#passOn();
        else contender.dispatch(event);
      },
      get vouchedMs() {
        return released ? 0 : contender.vouchedMs;
      },
      queue: contender.queue,
      tag: contender.tag,
    };
  }

  #lost(reason: LostReason, cause: BatonError | undefined): void {
    const before = this.#holder;
    before?.onLost(reason, cause);
    if (!this.replaces) return;
    // What it was handed in the place of its token is replaced for others.
    this.#places = 0;
    this.#holder = undefined;
    before?.onEnded();
    this.#rejoinAll();
  }

  #passOn(): void {
    const before = this.#holder;
    this.#contender.dispatch({ type: 'pass-on' });
    if (this.#contender.at === 'granting') {
      // The next waiter waits for a proof of its own.
      this.#holder = undefined;
      before?.onEnded();
    } else if (isLeaving(this.#contender.at)) {
      this.#rejoinAll();
    }
  }

  #refuseAll(refusal: Refusal): void {
    this.#places = 0;
    for (const waiter of this.#waiters.splice(0)) waiter.refused(refusal, this.#wasInLine);
  }

  #rejoinAll(): void {
    const waiters = this.#waiters.splice(0);
    if (waiters.length > 0) this.#home.rejoin(waiters);
  }
}

const isLeaving = (at: Contender['at']): boolean => at === 'parting' || at === 'closing';
