import type { Contender } from './contender.ts';
import type { Context } from './context.ts';
import { type LockTrace, traces } from './diagnostics.ts';
import { BrokerUnreachableError, ClosedError, LeaseLostError, type LostReason } from './errors.ts';
import type { Instant } from './protocol/instant.ts';

/** How long `release` waits for the broker's answer. The lock is free as soon as the broker has read the request. */
const RELEASE_CONFIRM_MS = 5_000;

/** Holds that last so long are told to operators; the many short ones cost nothing. */
const ANNOUNCE_AFTER_MS = 1_000;

const EXPLAINED: Record<LostReason, string> = {
  'verification-timeout': 'the broker did not confirm the hold within leaseMs',
  superseded: 'the broker had taken the token back, and somebody else may have been granted',
  'connection-closed': 'the connection to the broker was closed',
  'channel-closed': 'the broker closed the channel',
  'queue-deleted': 'the lock queue was deleted',
  'consumer-cancelled': 'the broker cancelled the consumer',
  'coordinator-closed': 'the coordinator was closed while the lock was held',
  'clock-jump': 'the wall clock moved past the end of the lease, or the machine was suspended',
};

/**
 * Proof of a hold, from `acquire`. Release it with `release()` or `await using`. It ends by itself when the hold can
 * no longer be vouched for: then `signal` aborts with a LeaseLostError, and every later call is a no-op or throws it.
 */
export class Lease {
  /** Name of the lock. */
  readonly name: string;
  /** Fencing token: fixed for this hold, greater than that of every earlier grant of the name. A signed 64-bit value. */
  readonly fence: bigint;
  readonly #contender: Contender;
  readonly #context: Context;
  readonly #trace: LockTrace;
  readonly #abort = new AbortController();
  readonly #verifying = new Set<{ since: number; resolve: () => void; reject: (error: Error) => void }>();
  #lost: LeaseLostError | undefined;
  #released: Promise<void> | undefined;
  #ended: (() => void) | undefined;
  #isEnded = false;
  #unannounce: () => void;

  /** @internal Leases come from `acquire`. */
  constructor(name: string, fence: bigint, contender: Contender, context: Context) {
    this.name = name;
    this.fence = fence;
    this.#contender = contender;
    this.#context = context;
    this.#trace = { lock: name, service: context.identity.service, fence: String(fence) };
    if (traces.hold.hasSubscribers) traces.hold.start.publish(this.#trace);
    this.#unannounce = this.#announceSoon();
  }

  /** Aborts with a {@link LeaseLostError} when the hold is lost. A release does not abort it. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Milliseconds for which the hold can still be vouched for without a further answer of the broker; 0 once it is over. Read from the clocks now. */
  get remainingMs(): number {
    return this.#contender.vouchedMs;
  }

  /**
   * Throws {@link LeaseLostError} if the hold is lost and {@link ClosedError} after a release. Synchronous and reads
   * the clocks, so it is right even when the event loop or the machine stood still and `signal` has had no chance yet.
   */
  throwIfLost(): void {
    this.#contender.dispatch({ type: 'wake' });
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#released !== undefined)
      throw new ClosedError(`lease ${this.fence} of ${JSON.stringify(this.name)} was released`);
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
        this.#contender.dispatch({ type: 'verify' });
      });
    }, this.#copyTrace());
  }

  /**
   * Gives the lock to the longest waiter. Resolves when the broker has it; idempotent; at once and without a broker
   * call after a loss. Rejects with BrokerUnreachableError if the broker does not answer within 5 s: the lock is then
   * freed when the broker notices the dead connection.
   */
  release(): Promise<void> {
    this.#released ??= this.#lost === undefined ? this.#release() : Promise.resolve();
    return this.#released;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /** @internal The loss, if there is one; reads the clocks. */
  get loss(): LeaseLostError | undefined {
    this.#contender.dispatch({ type: 'wake' });
    return this.#lost;
  }

  /** @internal */
  onProven(sentAt: Instant): void {
    for (const waiting of this.#verifying) {
      if (sentAt.mono < waiting.since) continue;
      this.#verifying.delete(waiting);
      waiting.resolve();
    }
  }

  /** @internal */
  onLost(reason: LostReason, cause: unknown): void {
    const { logger } = this.#context.settings;
    const message = `lost lock ${JSON.stringify(this.name)}: ${EXPLAINED[reason]}`;
    this.#lost = new LeaseLostError(message, { reason, cause });
    logger.warn({ lock: this.name, fence: String(this.fence), reason }, 'lease lost');
    this.#rejectVerifications(this.#lost);
    if (traces.hold.hasSubscribers) {
      this.#trace.error = this.#lost;
      traces.hold.error.publish(this.#trace);
    }
    this.#abort.abort(this.#lost);
  }

  /** @internal */
  onEnded(): void {
    this.#isEnded = true;
    this.#unannounce();
    if (traces.hold.hasSubscribers) traces.hold.end.publish(this.#trace);
    this.#ended?.();
  }

  #announceSoon(): () => void {
    const { clock, session } = this.#context;
    const { mono, wall: since } = clock.now();
    return clock.setTimer(mono + ANNOUNCE_AFTER_MS, () => {
      const { queue, tag: consumerTag } = this.#contender;
      this.#unannounce = session.announce?.({ queue, consumerTag, fence: this.fence, since }) ?? (() => {});
    });
  }

  #release(): Promise<void> {
    return traces.release.tracePromise(async () => {
      this.#contender.dispatch({ type: 'release' });
      this.#rejectVerifications(
        new ClosedError(`lease ${this.fence} of ${JSON.stringify(this.name)} was released`),
      );
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
    }, this.#copyTrace());
  }

  #rejectVerifications(error: Error): void {
    const waiting = [...this.#verifying];
    this.#verifying.clear();
    for (const { reject } of waiting) reject(error);
  }

  #copyTrace(): LockTrace {
    return { lock: this.#trace.lock, service: this.#trace.service, fence: String(this.fence) };
  }
}
