import { EventEmitter } from 'node:events';
import { hostname } from 'node:os';
import { Acquirer } from './acquire/acquirer.ts';
import type { Context } from './acquire/context.ts';
import { Lock } from './acquire/lock.ts';
import { LockRecords } from './acquire/lock-records.ts';
import { VerificationSchedule } from './acquire/verification-schedule.ts';
import { publish, tell } from './callbacks.ts';
import { type Clock, systemClock } from './clock.ts';
import { stateChannel } from './diagnostics.ts';
import { ClosedError } from './errors.ts';
import type { ScheduleOptions } from './jobs/options.ts';
import { parsePolicy } from './jobs/options.ts';
import { type JobRecord, jobRecordSchema } from './jobs/record.ts';
import { Schedule, type ScheduledTask } from './jobs/schedule.ts';
import {
  type CloseOptions,
  checkTask,
  type LockOptions,
  parseCloseOptions,
  parseLockName,
  parseLockOptions,
  type Settings,
  type StatefulLockOptions,
} from './options.ts';
import type { LockSession, SessionState, SessionStateChange } from './protocol/port.ts';
import { processName } from './protocol/queues.ts';
import { BEAT_MS, beat, ranLately, type StallDetector } from './protocol/stall-detector.ts';

const LEAVE_MS = 2_000;
/** Of these, for a token that is owed. */
const OWED_MS = 500;

/** One session with the broker, from `connect`. Emits `state` with `{ from, to, error }`. */
export class Coordinator extends EventEmitter<{ state: [SessionStateChange] }> {
  readonly #context: Context;
  readonly #acquirer: Acquirer;
  readonly #schedules = new Set<Schedule>();
  #stall: StallDetector | undefined;
  #cancelBeat: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  /** @internal Coordinators come from `connect`. */
  constructor(
    session: LockSession,
    settings: Settings,
    clock: Clock = systemClock,
    random: () => number = Math.random,
  ) {
    super();
    const identity = { service: settings.service, host: hostname(), pid: process.pid };
    this.#context = {
      settings,
      session,
      clock,
      identity,
      verifications: new VerificationSchedule(clock, settings.verifyEveryMs),
      records: new LockRecords({ settings, broker: session, clock, identity, random }),
      ranLately: () => ranLately(this.#stall, clock.now()),
    };
    this.#acquirer = new Acquirer(this.#context);
    this.#beat();
    this.#publishState({ from: 'connecting', to: session.state });
    session.onStateChange((change) => {
      this.#publishState(change);
      settings.logger.info({ from: change.from, to: change.to, err: change.error }, 'session state');
      tell(this, 'state', change);
    });
  }

  /** `connecting | open | blocked | reconnecting | closed`. */
  get state(): SessionState {
    return this.#context.session.state;
  }

  /** The lock of that name: 1 to 255 characters of Unicode. Throws InvalidOptionsError. Nothing is asked of the broker yet. */
  lock(name: string, options?: LockOptions): Lock<undefined>;
  /**
   * A lock that carries state: JSON, handed from holder to holder and kept across crashes (`lease.state`, `lease.save`).
   * Not with `slots`, nor with an `idleExpiryMs`.
   *
   * @example
   * const lock = baton.lock('import', { state: z.object({ cursor: z.number() }) });
   */
  lock<T>(name: string, options: StatefulLockOptions<T>): Lock<T>;
  lock<T>(name: string, options?: LockOptions | StatefulLockOptions<T>): Lock<T> {
    const parsed = parseLockOptions(options, this.#context.settings) as Partial<StatefulLockOptions<T>>;
    return new Lock<T>(parseLockName(name), parsed, {
      context: this.#context,
      acquirer: this.#acquirer,
      assertOpen: () => {
        if (this.#closed !== undefined) throw new ClosedError('the coordinator is closed');
      },
    });
  }

  /**
   * Runs `task` for each tick of `when` (cron expression, or a duration such as `12h` or `1d`) on exactly one of the
   * workers that schedule the same name; docs/jobs.md says what happens when one of them dies, sleeps or is late.
   * The name is that of a lock with state. Throws InvalidOptionsError.
   *
   * @example
   * baton.schedule('nightly', '0 3 * * *', ({ tick, signal }) => report(tick, signal), { timezone: 'Europe/Berlin' });
   */
  schedule(name: string, when: string, task: ScheduledTask, options?: ScheduleOptions): Schedule {
    const policy = parsePolicy(when, options);
    checkTask('schedule', task);
    const lock = this.lock<JobRecord>(name, { state: jobRecordSchema });
    const { clock, settings, identity } = this.#context;
    const schedule = new Schedule(
      {
        name,
        policy,
        clock,
        logger: settings.logger,
        by: processName(identity),
        acquire: (signal) => lock.acquire({ signal }),
        ended: () => this.#schedules.delete(schedule),
      },
      task,
    );
    this.#schedules.add(schedule);
    return schedule;
  }

  /**
   * Takes no new calls, ends every wait with ClosedError, waits up to `drainMs` (default 10000) for holders to
   * release and for tokens that are being replaced, then leaves; what is still held is lost with
   * `coordinator-closed`. Idempotent, never rejects for a broker that does not answer, and takes at most `drainMs` + 2 s.
   */
  async close(options?: CloseOptions): Promise<void> {
    const { drainMs } = parseCloseOptions(options);
    this.#closed ??= this.#close(drainMs);
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(drainMs: number): Promise<void> {
    const { session, records } = this.#context;
    for (const schedule of this.#schedules) schedule.retire();
    this.#acquirer.retire();
    await this.#within(drainMs, () => this.#acquirer.idle());
    this.#acquirer.shutDown();
    // On 3.x a release that ends a long log acks its token before there is another one.
    await this.#within(OWED_MS, () => this.#acquirer.replaced());
    await session.close(LEAVE_MS - OWED_MS);
    records.dispose();
    this.#cancelBeat?.();
  }

  async #within(ms: number, work: () => Promise<void>): Promise<void> {
    if (ms === 0) return;
    const { clock } = this.#context;
    let cancel = () => {};
    const over = new Promise<void>((resolve) => {
      cancel = clock.setTimer(clock.now().mono + ms, resolve);
    });
    await Promise.race([work(), over]);
    cancel();
  }

  #publishState(change: SessionStateChange): void {
    publish(stateChannel, { ...change, service: this.#context.identity.service, session: this });
  }

  #beat(): void {
    const { clock } = this.#context;
    const now = clock.now();
    this.#stall = beat(this.#stall, now);
    this.#cancelBeat = clock.setTimer(now.mono + BEAT_MS, () => this.#beat());
  }
}
