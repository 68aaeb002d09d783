import { reasonOf } from '../abort.ts';
import { type LockTrace, traces } from '../diagnostics.ts';
import { AcquireTimeoutError, type BatonError, BrokerUnreachableError } from '../errors.ts';
import { type AcquireOptions, checkTask, parseAcquireOptions, type StatefulLockOptions } from '../options.ts';
import type { AcquireRequest, Acquirer, Miss } from './acquirer.ts';
import type { Context } from './context.ts';
import { Lease } from './lease.ts';
import { by, heldByCaller, queueOf, warnOfOwnHold, within } from './own-holds.ts';

/** What a lock needs of its coordinator. @internal */
export interface LockHome {
  readonly context: Context;
  readonly acquirer: Acquirer;
  /** Throws ClosedError once the coordinator is closing. */
  assertOpen(): void;
}

/** What `run` hands to its task. */
export type Task<R, T = unknown> = (lease: Lease<T>) => R | Promise<R>;

/**
 * A name. Cheap to make, holds nothing at the broker. Not reentrant: acquiring a name twice in one process waits
 * for the first lease like anyone else, and without end if the same code holds it. Inside `run` that is said: in the error
 * of a timeout, and without a timeout by the logger and a process warning, once.
 */
export class Lock<T = unknown> {
  readonly name: string;
  readonly #home: LockHome;
  readonly #options: Partial<StatefulLockOptions<T>>;

  /** @internal Locks come from `coordinator.lock(name)`. */
  constructor(name: string, options: Partial<StatefulLockOptions<T>>, home: LockHome) {
    this.name = name;
    this.#options = options;
    this.#home = home;
  }

  /**
   * Waits in line for the lock, first in, first out, and resolves with a {@link Lease}.
   *
   * Waits without end unless `timeoutMs` is given. Rejects with AcquireTimeoutError after `timeoutMs`; with the reason
   * of `signal`, untouched, when that aborts; with AccessRefusedError, QueueMismatchError, TokenVersionError,
   * UnsupportedBrokerError or ClosedError; with StateError when the state does not fit the schema. A timeout or an abort settles at once, even on a dead line.
   *
   * @example
   * await using lease = await baton.lock('invoice:42').acquire({ timeoutMs: 5_000 });
   */
  async acquire(options?: AcquireOptions): Promise<Lease<T>> {
    const { timeoutMs = Number.POSITIVE_INFINITY, signal } = parseAcquireOptions(options);
    return this.#contend(timeoutMs, signal, (outcome) => {
      if (outcome instanceof Lease) return outcome;
      const cause = outcome === 'held' ? undefined : this.#obstacle();
      const why = outcome === 'held' ? this.#whoHolds() : (cause?.message ?? 'the broker did not answer');
      throw new AcquireTimeoutError(
        `lock ${JSON.stringify(this.name)} was not acquired within ${timeoutMs} ms: ${why}`,
        { cause },
      );
    });
  }

  /**
   * Like `acquire`, but resolves with `undefined` when somebody else holds the lock, after `timeoutMs` (default 0:
   * without waiting). Rejects with BrokerUnreachableError when no broker answered in that time (1 s without a timeout).
   */
  async tryAcquire(options?: AcquireOptions): Promise<Lease<T> | undefined> {
    const { timeoutMs = 0, signal } = parseAcquireOptions(options);
    return this.#contend(timeoutMs, signal, (outcome) => {
      if (outcome !== 'unanswered') return outcome === 'held' ? undefined : outcome;
      const cause = this.#obstacle();
      const advice = cause?.message ?? 'Check that the broker is reachable and not blocked by an alarm';
      throw new BrokerUnreachableError(
        `no answer from the broker: whether lock ${JSON.stringify(this.name)} is held is unknown. ${advice}`,
        { cause },
      );
    });
  }

  /**
   * Acquires, runs `task`, releases, and resolves with what the task returned.
   *
   * The task's own error always wins. A task that resolves although the lease was lost meanwhile rejects with
   * LeaseLostError. If only the release fails, the result is returned and the failure is logged and traced.
   *
   * @example
   * await baton.lock('invoice:42').run(async ({ fence, signal }) => writeReport({ fence, signal }));
   */
  async run<R>(task: Task<R, T>, options?: AcquireOptions): Promise<R> {
    checkTask('run', task);
    return this.#use(await this.acquire(options), task);
  }

  /** Like `run`, but resolves with `undefined`, without running the task, when somebody else holds the lock. */
  async tryRun<R>(task: Task<R, T>, options?: AcquireOptions): Promise<R | undefined> {
    checkTask('tryRun', task);
    const lease = await this.tryAcquire(options);
    return lease === undefined ? undefined : this.#use(lease, task);
  }

  async #use<R>(lease: Lease<T>, task: Task<R, T>): Promise<R> {
    try {
      const result = await within(this.#home.context, lease, () => task(lease));
      const loss = lease.loss;
      if (loss !== undefined) throw loss;
      return result;
    } finally {
      await lease.release().catch((error: unknown) => {
        const { logger } = this.#home.context.settings;
        logger.warn({ lock: this.name, fence: String(lease.fence), err: error }, 'release failed');
      });
    }
  }

  async #contend<R>(
    timeoutMs: number,
    signal: AbortSignal | undefined,
    settle: (outcome: Lease<T> | Miss) => R,
  ): Promise<R> {
    this.#home.assertOpen();
    if (signal?.aborted) throw reasonOf(signal);
    this.#warnOfOwnHold(timeoutMs);
    const trace = { lock: this.name, service: this.#home.context.identity.service };
    return traces.acquire.tracePromise(async () => settle(await this.#wait(timeoutMs, signal, trace)), trace);
  }

  #warnOfOwnHold(timeoutMs: number): void {
    if (Number.isFinite(timeoutMs)) return;
    const { context } = this.#home;
    const held = heldByCaller(context, this.name);
    if (held !== undefined) warnOfOwnHold(context, this.name, held);
  }

  #obstacle(): BatonError | undefined {
    const { context } = this.#home;
    return context.session.obstacle ?? context.records.obstacleOf(queueOf(context, this.name));
  }

  #whoHolds(): string {
    const { context, acquirer } = this.#home;
    const held = heldByCaller(context, this.name);
    if (held !== undefined) return `the caller itself holds it${by(this.name, held)}`;
    return acquirer.holdsQueue(queueOf(context, this.name))
      ? 'this process itself holds it'
      : 'somebody else holds it';
  }

  async #wait(
    timeoutMs: number,
    signal: AbortSignal | undefined,
    trace: LockTrace,
  ): Promise<Lease<T> | Miss> {
    const { context, acquirer } = this.#home;
    const { settings } = context;
    const { grant, idleExpiryMs, localBatch, state: schema } = this.#options;
    const request: AcquireRequest = {
      lock: this.name,
      grant: grant ?? settings.grant,
      idleExpiryMs,
      localBatch: localBatch ?? settings.localBatch,
      carriesState: schema !== undefined,
      timeoutMs,
      signal,
    };
    const outcome = await acquirer.acquire(
      request,
      (granted) => new Lease<T>({ name: this.name, granted, context, acquire: trace, schema }),
    );
    if (outcome instanceof Lease) await outcome.readState();
    return outcome;
  }
}
