import { publish } from '../callbacks.ts';
import { waitingChannel } from '../diagnostics.ts';
import type { Refusal, Rules } from '../protocol/contender/types.ts';
import type { Handed } from '../protocol/register/types.ts';
import { Contender } from './contender.ts';
import type { Context } from './context.ts';
import type { ContenderReport, Grant, HoldEvent, Holder, HoldHandle } from './hold.ts';
import type { LockRecord } from './lock-records.ts';

/** Why a waiter ends without a hold. `inLine`: it is known that somebody else had the lock. */
export type WaiterRefusal = Refusal & { readonly inLine: boolean };

/** An `acquire` that waits. It is told exactly one of the two. */
export interface LocalWaiter {
  granted(grant: Grant): Holder;
  refused(refusal: WaiterRefusal): void;
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
    const { context, rules, record, lock } = home;
    this.#contender = new Contender({ context, rules, record, lock, tell: (report) => this.#hear(report) });
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
    return this.#contender.at === 'replacing';
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
      waiter.refused({ why: 'gave-up', inLine: this.#wasInLine });
    }
  }

  /** The coordinator closes: nobody waits here any more; a holder may go on. */
  retire(): void {
    this.#retired = true;
    if (this.#holder === undefined) this.shutDown();
    else this.#refuseAll({ why: 'shutdown' });
  }

  shutDown(): void {
    this.#contender.dispatch({ type: 'shutdown' });
  }

  #hear(report: ContenderReport): void {
    switch (report.type) {
      case 'granted':
        this.#granted(report.fence, report.handed);
        break;
      case 'refused':
        this.#refuseAll(report.refusal);
        break;
      case 'lost':
        this.#lost(report);
        break;
      case 'ended':
        this.#home.ended(this);
        this.#holder?.hear(report);
        this.#rejoinAll();
        break;
      default:
        this.#holder?.hear(report);
    }
  }

  #granted(fence: bigint, handed: Handed | undefined): void {
    const waiter = this.#waiters.shift();
    const before = this.#holder;
    this.#holder = waiter?.granted({ fence, handed, hold: this.#hold() });
    before?.hear({ type: 'ended' });
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

  #lost(loss: Extract<HoldEvent, { type: 'lost' }>): void {
    const before = this.#holder;
    before?.hear(loss);
    if (!this.replaces) return;
    // What it was handed in the place of its token is replaced for others.
    this.#places = 0;
    this.#holder = undefined;
    before?.hear({ type: 'ended' });
    this.#rejoinAll();
  }

  #passOn(): void {
    const before = this.#holder;
    this.#contender.dispatch({ type: 'pass-on' });
    if (this.#contender.at === 'granting') {
      // The next waiter waits for a proof of its own.
      this.#holder = undefined;
      before?.hear({ type: 'ended' });
    } else if (isLeaving(this.#contender.at)) {
      this.#rejoinAll();
    }
  }

  #refuseAll(refusal: Refusal): void {
    this.#places = 0;
    for (const waiter of this.#waiters.splice(0)) waiter.refused({ ...refusal, inLine: this.#wasInLine });
  }

  #rejoinAll(): void {
    const waiters = this.#waiters.splice(0);
    if (waiters.length > 0) this.#home.rejoin(waiters);
  }
}

const isLeaving = (at: Contender['at']): boolean => at === 'releasing' || at === 'closing';
