import type { Clock } from '../../../src/clock.ts';
import { Coordinator } from '../../../src/coordinator.ts';
import type { RunReport, Schedule, ScheduledRun, ScheduleOptions } from '../../../src/index.ts';
import { MemoryBroker } from '../../../src/memory/broker.ts';
import { parseConnectOptions } from '../../../src/options.ts';
import { ManualClock } from '../../../src/testing/index.ts';

export const MINUTE = 60_000;
const MIDNIGHT = Date.parse('2027-01-01T00:00:00Z');

export interface Run {
  /** Which worker, in order of their start. */
  readonly by: number;
  /** Minutes after midnight, by the schedule. */
  readonly tick: number;
  /** The same, by the clock of the fleet when it started. */
  readonly at: number;
}

export interface WorkerOptions extends ScheduleOptions {
  /** How long a run takes, in milliseconds of the fleet's clock. Default: 0. */
  readonly tookMs?: number;
  /** How much its wall clock is ahead of the fleet's, in milliseconds. Default: 0. */
  readonly aheadMs?: number;
  /** Runs reject. */
  readonly fails?: boolean;
}

export interface Worker {
  readonly schedule: Schedule;
  readonly coordinator: Coordinator;
  readonly reports: { readonly event: 'done' | 'failed'; readonly report: RunReport }[];
  /** Its connections end, and it never comes back. */
  die(): void;
  /** It does nothing from now on, as if suspended; its connections stay. */
  sleep(): void;
  wake(): void;
}

/** Workers of one job that is due every minute, on the in-memory broker, from midnight on. */
export class Fleet {
  /** A moment after midnight, so that midnight is no tick of theirs. */
  readonly clock = new ManualClock(MIDNIGHT + 100);
  readonly runs: Run[] = [];
  readonly #broker = new MemoryBroker({ clock: this.clock });
  readonly #workers: Worker[] = [];

  /** Ticks in the order in which they were run. */
  get ticks(): number[] {
    return this.runs.map(({ tick }) => tick);
  }

  start(options: WorkerOptions = {}): Worker {
    const { tookMs = 0, aheadMs = 0, fails = false, ...scheduling } = options;
    const by = this.#workers.length;
    const session = this.#broker.connect();
    const clock = new WorkerClock(this.clock, aheadMs);
    const coordinator = new Coordinator(session, parseConnectOptions({ service: `worker-${by}` }), clock);
    const task = async ({ tick, signal }: ScheduledRun): Promise<void> => {
      const minutes = (ms: number): number => (ms - MIDNIGHT) / MINUTE;
      this.runs.push({ by, tick: minutes(tick.getTime()), at: minutes(this.clock.now().wall) });
      if (tookMs > 0) await this.#pass(tookMs, signal);
      if (fails) throw new Error('no paper');
    };
    const schedule = coordinator.schedule('jobs', '* * * * *', task, { timezone: 'UTC', ...scheduling });
    const reports: Worker['reports'] = [];
    schedule.on('done', (report) => reports.push({ event: 'done', report }));
    schedule.on('failed', (report) => reports.push({ event: 'failed', report }));
    const worker: Worker = {
      schedule,
      coordinator,
      reports,
      die: () => {
        clock.stop();
        session.disconnect();
      },
      sleep: () => clock.stop(),
      wake: () => clock.go(),
    };
    this.#workers.push(worker);
    return worker;
  }

  /** The worker that runs now. */
  get runner(): Worker {
    const worker = this.#workers[this.runs.at(-1)?.by ?? -1];
    if (worker === undefined) throw new Error('nobody has run yet');
    return worker;
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  async close(): Promise<void> {
    const closing = Promise.all(
      this.#workers.map((worker) => {
        worker.wake();
        return worker.coordinator.close({ drainMs: 0 });
      }),
    );
    await this.clock.advance(2_000);
    await closing;
  }

  #pass(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.clock.setTimer(this.clock.now().mono + ms, resolve);
      signal.addEventListener('abort', () => {
        cancel();
        reject(signal.reason);
      });
    });
  }
}

/** The fleet's clock as one worker has it: ahead, behind, or with timers that do not fire while it sleeps. */
class WorkerClock implements Clock {
  readonly #clock: Clock;
  readonly #aheadMs: number;
  readonly #missed: (() => void)[] = [];
  #stopped = false;

  constructor(clock: Clock, aheadMs: number) {
    this.#clock = clock;
    this.#aheadMs = aheadMs;
  }

  now(): { mono: number; wall: number } {
    const { mono, wall } = this.#clock.now();
    return { mono, wall: wall + this.#aheadMs };
  }

  setTimer(atMono: number, callback: () => void): () => void {
    return this.#clock.setTimer(atMono, () => {
      if (this.#stopped) this.#missed.push(callback);
      else callback();
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  go(): void {
    this.#stopped = false;
    for (const callback of this.#missed.splice(0)) callback();
  }
}
