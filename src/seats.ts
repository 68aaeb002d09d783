import type { Context } from './context.ts';
import { isBatonError } from './errors.ts';
import type { Rules } from './protocol/contender/types.ts';
import { type Call, Seat } from './seat.ts';

/** What an `acquire` asks for. Calls that ask for the same may share a seat. */
export interface Wish {
  readonly lock: string;
  readonly rules: Omit<Rules, 'name'>;
  readonly idleExpiryMs: number | undefined;
  readonly localBatch: number;
}

/** All places of a coordinator in the queues of its broker. */
export class Seats {
  readonly #context: Context;
  readonly #all = new Set<Seat>();
  /** The latest seat of each wish that can be shared: the ones before it are full. */
  readonly #open = new Map<string, Seat>();
  readonly #seatOf = new WeakMap<Call, Seat>();
  /** Called whenever a seat has ended. */
  #onEnded: (() => void) | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /** @throws QueueMismatchError the lock is in use here with another idleExpiryMs */
  take(wish: Wish, call: Call): void {
    const { mode, grant, carriesState } = wish.rules;
    const isShared = wish.localBatch > 1 && mode === 'wait' && !carriesState;
    const key = isShared ? JSON.stringify([wish.lock, grant, wish.idleExpiryMs, wish.localBatch]) : undefined;
    const open = key === undefined ? undefined : this.#open.get(key);
    const seat = open?.hasPlace ? open : this.#newSeat(wish, isShared ? wish.localBatch : 1, key);
    this.#seatOf.set(call, seat);
    seat.join(call);
  }

  leave(call: Call): void {
    this.#seatOf.get(call)?.leave(call);
  }

  /** Whether a lease of this process has that queue's token. */
  holdsQueue(queue: string): boolean {
    for (const seat of this.#all) if (seat.isLeased && seat.queue === queue) return true;
    return false;
  }

  /** Ends every wait; leases go on. */
  retire(): void {
    for (const seat of this.#all) seat.retire();
  }

  shutDown(): void {
    for (const seat of this.#all) seat.shutDown();
  }

  /** Resolves when nothing is held or on its way back. */
  idle(): Promise<void> {
    return this.#until(() => !this.#some((seat) => seat.holds));
  }

  /** After a shutdown: resolves when no lock is without a token because of this coordinator. */
  replaced(): Promise<void> {
    return this.#until(() => !this.#some((seat) => seat.replaces));
  }

  async #until(isSo: () => boolean): Promise<void> {
    if (isSo()) return;
    await new Promise<void>((resolve) => {
      this.#onEnded = () => isSo() && resolve();
    });
  }

  #newSeat(wish: Wish, localBatch: number, key: string | undefined): Seat {
    const { lock, idleExpiryMs } = wish;
    const { ledger } = this.#context;
    const record = ledger.enter(lock, idleExpiryMs);
    const seat = new Seat({
      context: this.#context,
      record,
      rules: { ...wish.rules, name: record.name },
      lock,
      localBatch,
      reseat: (calls) => {
        for (const call of calls) this.#reseat(wish, call);
      },
      ended: (ended) => {
        ledger.leave(record);
        this.#all.delete(ended);
        if (key !== undefined && this.#open.get(key) === ended) this.#open.delete(key);
        this.#onEnded?.();
      },
    });
    this.#all.add(seat);
    if (key !== undefined) this.#open.set(key, seat);
    return seat;
  }

  #reseat(wish: Wish, call: Call): void {
    try {
      this.take(wish, call);
    } catch (error) {
      if (!isBatonError(error)) throw error;
      call.refused({ why: 'failed', error }, false);
    }
  }

  #some(is: (seat: Seat) => boolean): boolean {
    return [...this.#all].some(is);
  }
}
