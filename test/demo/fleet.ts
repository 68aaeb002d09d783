import { setTimeout as pause } from 'node:timers/promises';
import { type Program, startProgram } from '../support/processes.ts';
import { type DemoEvent, type Fault, type FromWorker, type Job, now, type ToWorker } from './events.ts';
import { LEAVE_MS, RUN_LIMIT_MS } from './times.ts';

interface Pending {
  readonly job: Job;
  /** The worker from whom it was taken. */
  readonly notFor?: string;
}

export interface FleetOptions {
  readonly workers: readonly string[];
  readonly jobs: readonly Job[];
  readonly env: Readonly<Record<string, string>>;
  /** After every event, before idle workers get their next job. */
  readonly onEvent: (event: DemoEvent) => void;
  /** Keeps the run going although every job is done. */
  readonly isBusy: () => boolean;
}

/** The worker processes, and the jobs that they have yet to do. */
export class Fleet {
  /** In order of arrival. */
  readonly events: DemoEvent[] = [];
  readonly #options: FleetOptions;
  readonly #programs = new Map<string, Program>();
  readonly #idle = new Set<string>();
  readonly #given = new Map<string, Job>();
  readonly #done = new Set<string>();
  readonly #expectedToEnd = new Set<string>();
  readonly #finished: Promise<void>;
  #pending: Pending[];
  #finish: () => void = () => {};
  #fail: (error: Error) => void = () => {};

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#pending = options.jobs.map((job) => ({ job }));
    this.#finished = new Promise((resolve, reject) => {
      this.#finish = resolve;
      this.#fail = reject;
    });
    this.#finished.catch(() => {});
  }

  /** Resolves when every worker is connected. */
  async start(): Promise<void> {
    const file = new URL('./worker.ts', import.meta.url);
    const { workers, env } = this.#options;
    await Promise.all(
      workers.map(async (worker) => {
        const program = startProgram(file, { env: { ...env, DEMO_WORKER: worker } });
        this.#programs.set(worker, program);
        const matches = ({ type }: FromWorker): boolean => type === 'ready';
        await program.next<FromWorker>(matches, { what: 'ready', timeoutMs: 30_000 });
        this.#listen(worker, program).catch((error: Error) => {
          if (!this.#expectedToEnd.has(worker)) this.#fail(error);
        });
      }),
    );
  }

  /** Hands out the jobs; resolves when all are done, rejects when a worker fails. */
  run(): Promise<void> {
    for (const worker of this.#options.workers) this.#idle.add(worker);
    this.#handOut();
    return this.#finished;
  }

  /** SIGKILL: the worker is gone without a word, and its job goes to somebody else. */
  kill(worker: string): void {
    this.#expectedToEnd.add(worker);
    this.#strike(worker, 'killed', 'SIGKILL');
  }

  /** SIGSTOP: it stands still, its connections stay open, and its job goes to somebody else. */
  freeze(worker: string): void {
    this.#strike(worker, 'frozen', 'SIGSTOP');
    const pid = this.#programs.get(worker)?.pid;
    if (pid === undefined) return;
    for (const other of this.#programs.keys())
      if (other !== worker) this.tell(other, { type: 'frozen', pid });
  }

  continue(frozen: DemoEvent): void {
    this.#take({ ...frozen, type: 'continued', at: now() });
    this.#programs.get(frozen.worker)?.signal('SIGCONT');
  }

  tell(worker: string, message: ToWorker): void {
    this.#programs
      .get(worker)
      ?.send(message)
      .catch((error: Error) => {
        if (!this.#expectedToEnd.has(worker)) this.#fail(error);
      });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.#programs.keys()) {
      this.#expectedToEnd.add(worker);
      this.tell(worker, { type: 'leave' });
    }
    const programs = [...this.#programs.values()];
    await Promise.race([Promise.all(programs.map(({ exit }) => exit)), pause(LEAVE_MS)]);
    await Promise.all(programs.map((program) => program.kill()));
  }

  #strike(worker: string, type: Fault, signal: NodeJS.Signals): void {
    const grant = this.events.findLast((event) => event.type === 'granted' && event.worker === worker);
    const job = this.#given.get(worker);
    if (grant === undefined || job === undefined) throw new Error(`${worker} holds nothing`);
    this.#given.delete(worker);
    this.#pending.unshift({ job, notFor: worker });
    // The clock is read before the signal is sent: the worker may not live a moment longer than the record says.
    const event = { ...grant, type, at: now() };
    this.#programs.get(worker)?.signal(signal);
    this.#take(event);
  }

  async #listen(worker: string, program: Program): Promise<never> {
    for (;;) {
      const message = await program.next<FromWorker>(() => true, { timeoutMs: 2 * RUN_LIMIT_MS });
      if (message.type === 'event') this.#take(message.event);
      if (message.type === 'failed') this.#fail(new Error(`${worker} failed: ${message.error}`));
    }
  }

  #take(event: DemoEvent): void {
    const { type, worker } = event;
    this.events.push(event);
    if (type === 'done') this.#done.add(event.job);
    if (type === 'done' || type === 'lost') {
      const job = this.#given.get(worker);
      this.#given.delete(worker);
      this.#idle.add(worker);
      // A frozen worker's job is not here any more: it was taken from it at once.
      if (type === 'lost' && job !== undefined) this.#pending.unshift({ job });
    }
    this.#options.onEvent(event);
    this.#handOut();
    if (this.#done.size === this.#options.jobs.length && !this.#options.isBusy()) this.#finish();
  }

  #handOut(): void {
    for (const worker of this.#idle) {
      const next = this.#pending.find(({ notFor }) => notFor !== worker);
      if (next === undefined) continue;
      this.#pending = this.#pending.filter((pending) => pending !== next);
      this.#idle.delete(worker);
      this.#given.set(worker, next.job);
      this.tell(worker, { type: 'job', job: next.job });
    }
  }
}
