import { isBatonError } from '../errors.ts';
import type { Rules } from '../protocol/contender/types.ts';
import type { Context } from './context.ts';
import { type LocalWaiter, HandoffGroup } from './handoff-group.ts';

/** What an `acquire` asks for. Calls that ask for the same may share a group. */
export interface AcquireRequest {
  readonly lock: string;
  readonly rules: Omit<Rules, 'name'>;
  readonly idleExpiryMs: number | undefined;
  readonly localBatch: number;
}

/** All places of a coordinator in the queues of its broker. */
export class Acquirer {
  readonly #context: Context;
  readonly #all = new Set<HandoffGroup>();
  /** The latest group of each request that can be shared: the ones before it are full. */
  readonly #open = new Map<string, HandoffGroup>();
  readonly #groupOf = new WeakMap<LocalWaiter, HandoffGroup>();
  /** Called whenever a group has ended. */
  #onEnded: (() => void) | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /** @throws QueueMismatchError the lock is in use here with another idleExpiryMs */
  take(request: AcquireRequest, waiter: LocalWaiter): void {
    const { mode, grant, carriesState } = request.rules;
    const isShared = request.localBatch > 1 && mode === 'wait' && !carriesState;
    const key = isShared ? JSON.stringify([request.lock, grant, request.idleExpiryMs, request.localBatch]) : undefined;
    const open = key === undefined ? undefined : this.#open.get(key);
    const group = open?.hasPlace ? open : this.#newGroup(request, isShared ? request.localBatch : 1, key);
    this.#groupOf.set(waiter, group);
    group.join(waiter);
  }

  leave(waiter: LocalWaiter): void {
    this.#groupOf.get(waiter)?.leave(waiter);
  }

  /** Whether a lease of this process has that queue's token. */
  holdsQueue(queue: string): boolean {
    for (const group of this.#all) if (group.isLeased && group.queue === queue) return true;
    return false;
  }

  /** Ends every wait; leases go on. */
  retire(): void {
    for (const group of this.#all) group.retire();
  }

  shutDown(): void {
    for (const group of this.#all) group.shutDown();
  }

  /** Resolves when nothing is held or on its way back. */
  idle(): Promise<void> {
    return this.#until(() => !this.#some((group) => group.holds));
  }

  /** After a shutdown: resolves when no lock is without a token because of this coordinator. */
  replaced(): Promise<void> {
    return this.#until(() => !this.#some((group) => group.replaces));
  }

  async #until(isSo: () => boolean): Promise<void> {
    if (isSo()) return;
    await new Promise<void>((resolve) => {
      this.#onEnded = () => isSo() && resolve();
    });
  }

  #newGroup(request: AcquireRequest, localBatch: number, key: string | undefined): HandoffGroup {
    const { lock, idleExpiryMs } = request;
    const { records } = this.#context;
    const record = records.enter(lock, idleExpiryMs);
    const group = new HandoffGroup({
      context: this.#context,
      record,
      rules: { ...request.rules, name: record.name },
      lock,
      localBatch,
      rejoin: (waiters) => {
        for (const waiter of waiters) this.#rejoin(request, waiter);
      },
      ended: (ended) => {
        records.leave(record);
        this.#all.delete(ended);
        if (key !== undefined && this.#open.get(key) === ended) this.#open.delete(key);
        this.#onEnded?.();
      },
    });
    this.#all.add(group);
    if (key !== undefined) this.#open.set(key, group);
    return group;
  }

  #rejoin(request: AcquireRequest, waiter: LocalWaiter): void {
    try {
      this.take(request, waiter);
    } catch (error) {
      if (!isBatonError(error)) throw error;
      waiter.refused({ why: 'failed', error }, false);
    }
  }

  #some(is: (group: HandoffGroup) => boolean): boolean {
    return [...this.#all].some(is);
  }
}
