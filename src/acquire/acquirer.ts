import { onAbort, reasonOf } from '../abort.ts';
import { ClosedError, isBatonError } from '../errors.ts';
import { TRY_ANSWER_MS } from '../protocol/client-step.ts';
import type { GrantMode } from '../protocol/grant-mode.ts';
import type { Context } from './context.ts';
import { HandoffGroup, type LocalWaiter, type WaiterRefusal } from './handoff-group.ts';
import type { Grant, Holder } from './hold.ts';

/** What an `acquire` asks for. Those that ask for the same may share a group. */
export interface AcquireRequest {
  readonly lock: string;
  readonly grant: GrantMode;
  readonly idleExpiryMs: number | undefined;
  readonly localBatch: number;
  readonly carriesState: boolean;
  /** Infinity waits without end, 0 is a try. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** How a wait ends without a hold: somebody else has the lock, or nobody knows who has it. */
export type Miss = 'held' | 'unanswered';

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

  /**
   * Waits in line. `open` makes a holder of the hold, inside the step that grants it, so that it misses nothing of what
   * happens to it. Rejects with the signal's reason, with what the broker refuses it for, or with ClosedError.
   * @throws QueueMismatchError the lock is in use here with another idleExpiryMs
   */
  acquire<H extends Holder>(request: AcquireRequest, open: (grant: Grant) => H): Promise<H | Miss> {
    const { timeoutMs, signal } = request;
    const { clock } = this.#context;
    return new Promise((resolve, reject) => {
      const waiter: LocalWaiter = {
        granted: (grant) => {
          stopWaiting();
          const holder = open(grant);
          resolve(holder);
          return holder;
        },
        refused: (refusal) => {
          stopWaiting();
          if (refusal.why === 'gave-up' && signal?.aborted) return reject(reasonOf(signal));
          const outcome = outcomeOf(refusal);
          return outcome instanceof Error ? reject(outcome) : resolve(outcome);
        },
      };
      const giveUp = () => this.#groupOf.get(waiter)?.leave(waiter);
      const limitMs = timeoutMs === 0 ? TRY_ANSWER_MS : timeoutMs;
      const cancelTimer = Number.isFinite(limitMs)
        ? clock.setTimer(clock.now().mono + limitMs, giveUp)
        : undefined;
      const stopWaiting = () => {
        cancelTimer?.();
        cancelAbort?.();
      };
      const cancelAbort = signal && onAbort(signal, giveUp);
      try {
        this.#join(request, waiter);
      } catch (error) {
        stopWaiting();
        reject(error);
      }
    });
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

  #join(request: AcquireRequest, waiter: LocalWaiter): void {
    const { lock, grant, idleExpiryMs, localBatch, carriesState, timeoutMs } = request;
    const isShared = localBatch > 1 && timeoutMs > 0 && !carriesState;
    const key = isShared ? JSON.stringify([lock, grant, idleExpiryMs, localBatch]) : undefined;
    const open = key === undefined ? undefined : this.#open.get(key);
    const group = open?.hasPlace ? open : this.#newGroup(request, isShared ? localBatch : 1, key);
    this.#groupOf.set(waiter, group);
    group.join(waiter);
  }

  #newGroup(request: AcquireRequest, localBatch: number, key: string | undefined): HandoffGroup {
    const { lock, idleExpiryMs } = request;
    const { records, settings } = this.#context;
    const record = records.enter(lock, idleExpiryMs);
    const group = new HandoffGroup({
      context: this.#context,
      record,
      rules: {
        name: record.name,
        mode: request.timeoutMs === 0 ? 'try' : 'wait',
        grant: request.grant,
        leaseMs: settings.leaseMs,
        verifyEveryMs: settings.verifyEveryMs,
        carriesState: request.carriesState,
        expires: Number.isFinite(record.idleExpiryMs),
      },
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
      this.#join(request, waiter);
    } catch (error) {
      if (!isBatonError(error)) throw error;
      waiter.refused({ why: 'failed', error, inLine: false });
    }
  }

  #some(is: (group: HandoffGroup) => boolean): boolean {
    return [...this.#all].some(is);
  }
}

function outcomeOf(refusal: WaiterRefusal): Miss | Error {
  switch (refusal.why) {
    case 'unavailable':
      return 'held';
    case 'gave-up':
      return refusal.inLine ? 'held' : 'unanswered';
    case 'shutdown':
      return new ClosedError('the coordinator was closed while this call waited');
    case 'failed':
      return refusal.error;
  }
}
