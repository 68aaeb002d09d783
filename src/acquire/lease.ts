import type { Socket } from 'node:net';
import { publish, soon } from '../callbacks.ts';
import { type LockTrace, traces } from '../diagnostics.ts';
import { BrokerUnreachableError, ClosedError, type LeaseLostError, type LostReason } from '../errors.ts';
import { parseReleaseOptions, parseSaveOptions, type ReleaseOptions, type SaveOptions } from '../options.ts';
import type { Instant } from '../protocol/instant.ts';
import type { Handed } from '../protocol/register/types.ts';
import type { StateSchema } from '../state.ts';
import type { Context } from './context.ts';
import type { Grant, HoldEvent, HoldHandle } from './hold.ts';
import { LeaseState } from './lease-state.ts';
import { lossOf } from './loss.ts';

/** How long `release` waits for the broker's answer. The lock is free as soon as the broker has read the request. */
const RELEASE_CONFIRM_MS = 5_000;

/** Holds that last so long are told to operators; the many short ones cost nothing. */
const ANNOUNCE_AFTER_MS = 1_000;

interface LeaseParts<T> {
  readonly name: string;
  readonly granted: Grant;
  readonly context: Context;
  readonly acquire: LockTrace;
  readonly schema: StateSchema<T> | undefined;
}

/**
 * Proof of a hold, from `acquire`. Release it with `release()` or `await using`. It ends by itself when the hold can
 * no longer be vouched for: then `signal` aborts with a LeaseLostError, and every later call is a no-op or throws it.
 */
export class Lease<T = unknown> {
  /** Name of the lock. */
  readonly name: string;
  /** Fencing token: fixed for this hold, greater than that of every earlier grant of the name. A signed 64-bit value. */
  readonly fence: bigint;
  readonly #hold: HoldHandle;
  readonly #handed: Handed | undefined;
  readonly #context: Context;
  readonly #state: LeaseState<T>;
  readonly #trace: LockTrace;
  /** Made when somebody asks for its signal, as few do. */
  #abort: AbortController | undefined;
  readonly #verifying = new Set<{ since: number; resolve: () => void; reject: (error: Error) => void }>();
  #lost: LeaseLostError | undefined;
  #released: Promise<void> | undefined;
  #givenBack: Promise<void> | undefined;
  #ended: (() => void) | undefined;
  #isEnded = false;
  #unannounce: () => void;

  /** @internal Leases come from `acquire`. */
  constructor({ name, granted, context, acquire, schema }: LeaseParts<T>) {
    const { fence, hold, handed } = granted;
    this.name = name;
    this.fence = fence;
    this.#hold = hold;
    this.#handed = handed;
    this.#context = context;
    this.#state = new LeaseState({ lock: name, schema, hold, clock: context.clock });
    this.#trace = { lock: name, service: context.identity.service, fence: String(fence), acquire };
    publish(traces.hold.start, this.#trace);
    this.#unannounce = this.#announceSoon();
  }

  /** Aborts with a {@link LeaseLostError} when the hold is lost. A release does not abort it. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    this.#tellLoss();
    return this.#abort.signal;
  }

  /** Milliseconds for which the hold can still be vouched for without a further answer of the broker; 0 once it is over. Read from the clocks now. */
  get remainingMs(): number {
    return this.#hold.vouchedMs;
  }

  /**
   * What the last save left, by this holder or an earlier one; undefined when there is none. Only locks that were
   * opened with `{ state: schema }` carry any.
   */
  get state(): T | undefined {
    return this.#state.value;
  }

  /**
   * Nothing was handed over with the lock: it is new, or its memory was lost (its register was deleted or purged).
   * Fixed for this hold; true for every hold until somebody saves. Always false for locks without state.
   */
  get minted(): boolean {
    return this.#state.minted;
  }

  /**
   * Replaces the state. Resolves when the broker has it and has shown that this is still its holder: then it is
   * never undone, except by destruction of the register. Concurrent saves count in the order of their calls.
   *
   * Rejects with StateError (not kept by JSON as it is, such as NaN or a whole number beyond 2^53; over 4 KiB; does not fit the
   * schema: nothing was sent), with LeaseLostError or
   * ClosedError when the lease ends first, and with BrokerUnreachableError after `timeoutMs` (default 5000), for
   * example during a memory alarm. A save that was sent and not confirmed may still come into effect, but never
   * after a later holder has been granted the lock.
   */
  save(value: T, options?: SaveOptions): Promise<void> {
    return traces.save.tracePromise(async () => {
      const { timeoutMs } = parseSaveOptions(options);
      this.throwIfLost();
      await this.#state.save(value, timeoutMs, () => this.throwIfLost());
    }, this.#copyTrace());
  }

  /**
   * Throws {@link LeaseLostError} if the hold is lost and {@link ClosedError} after a release. Synchronous and reads
   * the clocks, so it is right even when the event loop or the machine stood still and `signal` has had no chance yet.
   */
  throwIfLost(): void {
    const { loss } = this;
    if (loss !== undefined) throw loss;
    if (this.#released !== undefined) throw this.#wasReleased();
  }

  /**
   * Asks the broker now whether this is still the holder. Resolves when a question that was sent after this call has
   * been answered with proof. Rejects with LeaseLostError, or with ClosedError when the lease is or gets released.
   */
  verify(): Promise<void> {
    return traces.verify.tracePromise(async () => {
      this.throwIfLost();
      await new Promise<void>((resolve, reject) => {
        this.#verifying.add({ since: this.#context.clock.now().mono, resolve, reject });
        this.#hold.dispatch({ type: 'verify' });
      });
    }, this.#copyTrace());
  }

  /**
   * Gives the lock to the longest waiter. Resolves when the broker has it; idempotent; at once and without a broker
   * call after a loss. Rejects with BrokerUnreachableError if the broker does not answer within 5 s: the lock is then
   * freed when the broker notices the dead connection.
   *
   * With `state` that is saved first, as by {@link save} with `timeoutMs`; the lock is released even if that fails,
   * and the call rejects with the save's error. After a loss or a release it rejects, because nothing can be saved.
   */
  release(options?: ReleaseOptions<T>): Promise<void> {
    if (options !== undefined) return this.#releaseWith(options);
    if (this.#released !== undefined) return this.#released;
    let settle: (outcome: Promise<void>) => void = () => {};
    this.#released = new Promise((resolve) => {
      settle = resolve; // first, because a subscriber to the trace may call back in
    });
    settle(this.#lost === undefined ? this.#release() : Promise.resolve());
    return this.#released;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /** @internal The loss, if there is one; reads the clocks. */
  get loss(): LeaseLostError | undefined {
    this.#hold.dispatch({ type: 'wake' });
    this.#tellLoss();
    return this.#lost;
  }

  /** @internal For `baton run`: what the broker would see closed if this process died. */
  get sockets(): readonly Socket[] {
    return this.#context.session.lockSockets ?? [];
  }

  /** @internal Rejects, with the lock given back, when what was handed over does not fit the schema. */
  async readState(): Promise<void> {
    if (this.#handed === undefined) return;
    try {
      await this.#state.read(this.#handed);
    } catch (error) {
      await this.release();
      throw error;
    }
  }

  /** @internal */
  hear(event: HoldEvent): void {
    switch (event.type) {
      case 'proven':
        this.#proven(event.sentAt);
        break;
      case 'lost':
        this.#lose(event.reason, event.cause);
        break;
      case 'saved':
        this.#state.saved(event.ticket);
        break;
      case 'save-failed':
        this.#state.saveFailed(event.ticket, event.error);
        break;
      case 'ended':
        this.#isEnded = true;
        this.#unannounce();
        publish(traces.hold.end, this.#trace);
        this.#ended?.();
    }
  }

  #proven(sentAt: Instant): void {
    for (const waiting of this.#verifying) {
      if (sentAt.mono < waiting.since) continue;
      this.#verifying.delete(waiting);
      waiting.resolve();
    }
  }

  #lose(reason: LostReason, cause: unknown): void {
    const { logger } = this.#context.settings;
    const lost = lossOf(this.name, reason, cause);
    this.#lost = lost;
    logger.warn({ lock: this.name, fence: String(this.fence), reason }, 'lease lost');
    this.#rejectPending(() => lost);
    this.#trace.error = lost;
    publish(traces.hold.error, this.#trace);
    soon(() => this.#tellLoss());
  }

  #announceSoon(): () => void {
    const { clock, session } = this.#context;
    const { mono, wall: since } = clock.now();
    return clock.setTimer(mono + ANNOUNCE_AFTER_MS, () => {
      const { queue, tag: consumerTag } = this.#hold;
      this.#unannounce = session.announce?.({ queue, consumerTag, fence: this.fence, since }) ?? (() => {});
    });
  }

  #release(): Promise<void> {
    return traces.release.tracePromise(() => {
      this.#givenBack ??= this.#giveBack();
      return this.#givenBack;
    }, this.#copyTrace());
  }

  async #giveBack(): Promise<void> {
    this.#hold.dispatch({ type: 'release' });
    this.#rejectPending(() => this.#wasReleased());
    if (this.#isEnded) return;
    const { clock } = this.#context;
    await new Promise<void>((resolve, reject) => {
      const cancel = clock.setTimer(clock.now().mono + RELEASE_CONFIRM_MS, () => {
        const message = `the release of ${JSON.stringify(this.name)} was sent, but the broker did not answer within ${RELEASE_CONFIRM_MS} ms; it frees the lock when it notices the dead connection`;
        reject(new BrokerUnreachableError(message));
      });
      this.#ended = () => {
        cancel();
        resolve();
      };
    });
  }

  async #releaseWith(options: ReleaseOptions<T>): Promise<void> {
    const { state, timeoutMs } = parseReleaseOptions(options);
    if (state === undefined) return this.release();
    this.throwIfLost();
    const saving = traces.save.tracePromise(
      () =>
        this.#state.save(state as T, timeoutMs, () => {
          if (this.loss !== undefined) throw this.loss;
          if (this.#givenBack !== undefined) throw this.#wasReleased();
        }),
      this.#copyTrace(),
    );
    const releasing = saving.catch(() => {}).then(() => this.#release());
    this.#released = releasing;
    await Promise.allSettled([saving, releasing]);
    await saving;
    await releasing;
  }

  /** Never from inside a step: listeners of the signal are code of users. */
  #tellLoss(): void {
    if (this.#lost !== undefined) this.#abort?.abort(this.#lost);
  }

  /** An error costs more than the rest of a release, so it is made for those who get it. */
  #rejectPending(why: () => Error): void {
    this.#state.rejectAll(why);
    const waiting = [...this.#verifying];
    this.#verifying.clear();
    for (const { reject } of waiting) reject(why());
  }

  #wasReleased(): ClosedError {
    return new ClosedError(`lease ${this.fence} of ${JSON.stringify(this.name)} was released`);
  }

  #copyTrace(): LockTrace {
    return { lock: this.#trace.lock, service: this.#trace.service, fence: String(this.fence) };
  }
}
