import { EventEmitter } from 'node:events';
import { tell } from '../callbacks.ts';
import type { Clock } from '../clock.ts';
import { ClosedError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { type Policy, presentSince } from './decide.ts';
import { type Ending, type JobLease, runTick, type TickResult } from './run-tick.ts';
import type { RunReport, ScheduleEvents } from './schedule-events.ts';
import { Trouble } from './trouble.ts';

/** What a scheduled task is given. */
export interface ScheduledRun {
  /** The tick that this run is for: the time of the schedule, not of the start. */
  readonly tick: Date;
  /** Fencing token of this run: see `Lease.fence`. */
  readonly fence: bigint;
  /** Aborts when the lock is lost, or with `schedule.stop()`. */
  readonly signal: AbortSignal;
  /** See `Lease.throwIfLost`. */
  throwIfLost(): void;
}

export type ScheduledTask = (run: ScheduledRun) => unknown;

interface Parts {
  readonly name: string;
  readonly policy: Policy;
  readonly clock: Clock;
  readonly logger: Logger;
  /** service@host/pid */
  readonly by: string;
  acquire(signal: AbortSignal): Promise<JobLease>;
  ended(): void;
}

const BEAT_MS = 5_000;
/** How soon a worker comes again that could not use the lock, or not record a tick; twice as late each time. */
const AGAIN_MS = 1_000;
const AGAIN_AT_MOST_MS = 300_000;

/**
 * A job on this worker, from `baton.schedule`. Emits `done` and `failed` for its own runs; `error` when something keeps
 * it from its work, once for each kind until that has changed; `ahead` when the job was done far ahead of this worker's
 * clock; and `ended`. Whatever fails, it goes on trying, 1 s to 5 min apart: it ends with `stop()` or with its
 * coordinator alone. `error` and `ahead` that nobody listens to become a warning of the process, once.
 */
export class Schedule extends EventEmitter<ScheduleEvents> {
  readonly name: string;
  readonly #parts: Parts;
  readonly #task: ScheduledTask;
  readonly #stop = new AbortController();
  readonly #work: Promise<void>;
  #isRetired = false;
  #since: number;
  #seen: number;
  #dueAt: number | undefined;
  #onDue: (() => void) | undefined;
  #cancelBeat: (() => void) | undefined;
  readonly #trouble: Trouble;

  /** @internal Schedules come from `coordinator.schedule`. */
  constructor(parts: Parts, task: ScheduledTask) {
    super();
    this.name = parts.name;
    this.#parts = parts;
    this.#trouble = new Trouble(parts.name, parts.logger, this);
    this.#task = task;
    this.#since = this.#seen = this.#now();
    this.#beat();
    this.#work = this.#attend().finally(() => {
      this.#cancelBeat?.();
      parts.ended();
      tell(this, 'ended');
    });
  }

  /** Takes no further tick, aborts the signal of a run under way, and resolves when that has ended. Idempotent. */
  async stop(): Promise<void> {
    this.#stop.abort(new ClosedError(`schedule ${JSON.stringify(this.name)} was stopped`));
    this.#onDue?.();
    await this.#work;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** @internal Takes no further tick; a run under way goes on, with its lease. */
  retire(): void {
    this.#isRetired = true;
    this.#onDue?.();
  }

  /** Attends every tick: the worker that is granted the lock first runs it, the others find it done. */
  async #attend(): Promise<void> {
    for (let failures = 0; !this.#isOver; ) {
      try {
        const turn = await this.#turn();
        failures = 0;
        this.#trouble.over();
        const more = turn.did === 'run' && turn.last.outcome === 'done';
        if (!more && !(await this.#untilDue(turn))) return;
      } catch (error) {
        if (this.#isOver || error instanceof ClosedError) return;
        this.#trouble.error(error);
        await this.#rest(Math.min(AGAIN_MS * 2 ** failures, AGAIN_AT_MOST_MS));
        this.#onDue = undefined;
        failures += 1;
      }
    }
  }

  get #isOver(): boolean {
    return this.#stop.signal.aborted || this.#isRetired;
  }

  /** Rejects when the lock cannot be used, and when it was lost on the way: then its new holder decides. */
  async #turn(): Promise<TickResult> {
    const { policy, by, logger } = this.#parts;
    const lease = await this.#parts.acquire(this.#stop.signal);
    this.#look();
    try {
      const turning = { policy, by, presentSinceMs: this.#since, now: () => this.#now() };
      const turn = await runTick(lease, turning, (tick) => this.#run(lease, tick));
      if (turn.did === 'begin' && turn.why === 'memory-lost') {
        logger.warn({ job: this.name }, 'what this job remembers was lost: at-most-once drops the tick');
      }
      return turn;
    } catch (error) {
      await lease.release().catch(() => undefined);
      logger.warn({ job: this.name, err: error }, 'a tick was not recorded');
      throw error;
    }
  }

  #rest(ms: number): Promise<void> {
    const { clock } = this.#parts;
    return new Promise((resolve) => {
      const cancel = clock.setTimer(clock.now().mono + ms, resolve);
      this.#onDue = () => {
        cancel();
        resolve();
      };
      if (this.#isOver) this.#onDue();
    });
  }

  async #run(lease: JobLease, tick: number): Promise<Ending> {
    const startedAt = this.#now();
    const report = (): RunReport => ({
      tick: new Date(tick),
      fence: lease.fence,
      tookMs: Math.max(0, this.#now() - startedAt),
    });
    // Not AbortSignal.any: it holds on to a signal that lives as long as the schedule.
    const abort = new AbortController();
    const end = (): void =>
      abort.abort(lease.signal.aborted ? lease.signal.reason : this.#stop.signal.reason);
    lease.signal.addEventListener('abort', end, { once: true });
    this.#stop.signal.addEventListener('abort', end, { once: true });
    if (lease.signal.aborted || this.#stop.signal.aborted) end();
    try {
      await this.#task({
        tick: new Date(tick),
        fence: lease.fence,
        signal: abort.signal,
        throwIfLost: () => lease.throwIfLost(),
      });
      lease.throwIfLost();
      tell(this, 'done', report());
      return { outcome: 'done' };
    } catch (error) {
      this.#parts.logger.warn({ job: this.name, tick: new Date(tick), err: error }, 'run failed');
      tell(this, 'failed', { ...report(), error });
      return { outcome: 'failed' };
    } finally {
      lease.signal.removeEventListener('abort', end);
      this.#stop.signal.removeEventListener('abort', end);
    }
  }

  /** False when the schedule has no further tick. */
  async #untilDue(turn: TickResult): Promise<boolean> {
    const { ticks } = this.#parts.policy;
    const now = this.#now();
    const aheadMs = turn.did === 'nothing' ? turn.aheadMs : undefined;
    this.#trouble.ahead(turn.done, aheadMs);
    // A schedule that is ahead comes for each tick all the same, so that it notices when the record is mended.
    const next = ticks.next(aheadMs === undefined ? turn.done : now);
    this.#dueAt = next !== undefined && next > now ? next : ticks.next(now);
    if (this.#dueAt === undefined) return false;
    await new Promise<void>((resolve) => {
      this.#onDue = resolve;
      this.#beat();
      if (this.#isOver) resolve();
    });
    this.#dueAt = this.#onDue = undefined;
    return true;
  }

  /** Looks at the wall clock again and again, so that a clock that is set and a machine that slept are noticed. */
  #beat(): void {
    const { clock } = this.#parts;
    this.#cancelBeat?.();
    this.#look();
    const left = (this.#dueAt ?? Number.POSITIVE_INFINITY) - this.#seen;
    if (left <= 0) this.#onDue?.();
    const delay = left <= 0 ? BEAT_MS : Math.min(left, BEAT_MS);
    this.#cancelBeat = clock.setTimer(clock.now().mono + delay, () => this.#beat());
  }

  #look(): void {
    const now = this.#now();
    this.#since = presentSince(this.#since, this.#seen, now);
    this.#seen = now;
  }

  /** Whole milliseconds, as the record has them. */
  #now(): number {
    return Math.floor(this.#parts.clock.now().wall);
  }
}
