import { existsSync } from 'node:fs';
import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { GrantMode } from '../../../src/index.ts';
import type { PostgresAddress } from '../../support/postgres.ts';
import { type Program, startProgram } from '../../support/processes.ts';
import { nowUs } from '../history.ts';
import { FencedSets } from './fenced-set.ts';
import { FileSet } from './file-set.ts';
import { Journal, type NewEvent } from './journal.ts';
import type { Build, Times, ToWorker, WorkerSettings } from './settings.ts';
import { Tail } from './tail.ts';

export { Journal, type NewEvent } from './journal.ts';
export { inspectLeft } from './left.ts';
export { NAMESPACE, queueOf } from './queues.ts';
export { randomFrom } from './random.ts';
export type { Build, Times } from './settings.ts';

export const DEFAULT_TIMES: Times = {
  heartbeatMs: 2_000,
  leaseMs: 3_000,
  verifyEveryMs: 500,
  healAfterMs: 2_000,
};

export interface FleetOptions {
  /** The broker as a slot sees it, for example through a proxy of its own. */
  readonly urlsFor: (slot: number) => readonly string[];
  readonly slots: number;
  readonly locks: readonly string[];
  readonly build: Build;
  readonly grant: GrantMode;
  readonly options?: Times;
  /** Gets one history file for each process, `fleet.jsonl`, and the plain files in `sets`. */
  readonly outDir: string;
  /** Empty. */
  readonly store: PostgresAddress;
  readonly seed: number;
}

interface Slot {
  readonly number: number;
  starts: number;
  who: string;
  program: Program;
  isOver: boolean;
}

const RESTART_MS = 300;
const LEAVE_MS = 15_000;
const WORKER = new URL('./worker.ts', import.meta.url);

/** The worker processes of a run. Processes that are killed, or end by themselves, are followed by new ones. */
export class Fleet implements AsyncDisposable {
  readonly #options: FleetOptions;
  readonly #journal: Journal;
  readonly #slots: Slot[];
  readonly #minted = new Set<string>();
  readonly #expected = new Set<Program>();
  readonly #standing = new Map<Program, Promise<void>>();
  #stopped: Promise<void> | undefined;

  private constructor(options: FleetOptions) {
    this.#options = options;
    this.#journal = new Journal(join(options.outDir, 'fleet.jsonl'));
    this.#slots = Array.from({ length: options.slots }, (_, number) => this.#launch(number, 1));
  }

  /** Resolves once every process has begun; they connect by themselves, and again whenever they have to. */
  static async start(options: FleetOptions): Promise<Fleet> {
    await mkdir(join(options.outDir, 'sets'), { recursive: true });
    const store = new FencedSets(options.store);
    await store.createTables();
    await store.close();
    const fleet = new Fleet(options);
    for (const { who } of fleet.#slots) {
      while (!existsSync(join(options.outDir, `${who}.jsonl`))) await pause(50);
    }
    return fleet;
  }

  pidOf(slot: number): number {
    return this.#slot(slot).program.pid;
  }

  whoOf(slot: number): string {
    return this.#slot(slot).who;
  }

  /** SIGKILL, sent before the call returns. Resolves when the process is gone; another follows after a moment. */
  async kill(slot: number): Promise<void> {
    const { program, who, isOver } = this.#slot(slot);
    if (isOver) return;
    this.#expected.add(program);
    const at = nowUs();
    program.signal('SIGKILL');
    this.#journal.write({ type: 'killed', who, at });
    await program.exit;
  }

  /** SIGSTOP, sent before the call returns, and SIGCONT after `ms`. Resolves then, or when it was killed. */
  freeze(slot: number, ms: number): Promise<void> {
    const { program, who, isOver } = this.#slot(slot);
    const already = this.#standing.get(program);
    if (isOver || already !== undefined) return already ?? Promise.resolve();
    const at = nowUs();
    program.stop();
    this.#journal.write({ type: 'frozen', who, at });
    const other = this.#slots.find((it) => it.number !== slot);
    if (other !== undefined) this.#tell(other, { do: 'wake-later', pid: program.pid });
    const standing = Promise.race([pause(ms), program.exit]).then(() => {
      this.#standing.delete(program);
      if (this.#expected.has(program)) return;
      this.#journal.write({ type: 'continued', who });
      program.cont();
    });
    this.#standing.set(program, standing);
    return standing;
  }

  /** Every process acquires, works and releases this name once, as its next thing. */
  mint(lock: string): void {
    this.#minted.add(lock);
    for (const slot of this.#slots) this.#tell(slot, { do: 'mint', lock });
  }

  /** The next hold of this slot lasts so long. */
  hold(slot: number, ms: number): void {
    this.#tell(this.#slot(slot), { do: 'hold', ms });
  }

  /** Every name that was used: the locks of the run and the minted ones. */
  locksSeen(): string[] {
    return [...this.#options.locks, ...this.#minted];
  }

  /** Resolves with true as soon as each lock of the run was granted to somebody after this call; false after the timeout. */
  async calmGrants(timeoutMs = 120_000): Promise<boolean> {
    const since = nowUs();
    const missing = new Set(this.#options.locks);
    const tail = await Tail.open(this.#options.outDir);
    while (missing.size > 0) {
      if (nowUs() > since + timeoutMs * 1_000) return false;
      await pause(250);
      for await (const event of tail.read()) {
        if (event.type === 'granted' && event.at > since) missing.delete(event.lock);
      }
    }
    return true;
  }

  /** The processes give back what they hold and leave; those that do not are killed. Idempotent. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** What the sets hold, for the history of the run; after {@link stop}. */
  async finalSets(): Promise<NewEvent[]> {
    const store = new FencedSets(this.#options.store);
    const events: NewEvent[] = [];
    for (const lock of this.locksSeen()) {
      const files = new FileSet(join(this.#options.outDir, 'sets'), lock);
      events.push({ type: 'files', lock, elements: files.all() });
      events.push({ type: 'store', lock, ...(await store.contents(lock)) });
    }
    await store.close();
    return events;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(): Promise<void> {
    await Promise.all(this.#standing.values());
    for (const slot of this.#slots) {
      this.#expected.add(slot.program);
      this.#tell(slot, { do: 'leave' });
    }
    const exits = Promise.all(this.#slots.map(({ program }) => program.exit));
    await Promise.race([exits, pause(LEAVE_MS, undefined, { ref: false })]);
    for (const { program, who, isOver } of this.#slots) {
      if (isOver) continue;
      this.#journal.write({ type: 'killed', who });
      await program.kill();
    }
  }

  #launch(number: number, start: number): Slot {
    const { outDir, build, grant, locks, options = DEFAULT_TIMES, store, seed, urlsFor } = this.#options;
    const who = `w${number}-${start}`;
    const settings: WorkerSettings = {
      who,
      build,
      grant,
      locks,
      times: options,
      urls: urlsFor(number),
      journal: join(outDir, `${who}.jsonl`),
      sets: join(outDir, 'sets'),
      store,
      seed: seed * 1_000 + number * 100 + start,
    };
    const program = startProgram(WORKER, { env: { WORKER: JSON.stringify(settings) } });
    void program.exit.then(() => this.#ended(number, who, program));
    return { number, starts: start, who, program, isOver: false };
  }

  async #ended(number: number, who: string, program: Program): Promise<void> {
    const { code, signal } = await program.exit;
    const slot = this.#slot(number);
    slot.isOver = true;
    const said = program.stderr.trim();
    if (said !== '') await appendFile(join(this.#options.outDir, `${who}.err`), `${said}\n`);
    if (!this.#expected.has(program)) {
      this.#journal.write({
        type: 'crashed',
        who,
        error: `ended with ${signal ?? code}: ${said.slice(-500)}`,
      });
    }
    if (this.#stopped !== undefined) return;
    await pause(RESTART_MS);
    if (this.#stopped === undefined) Object.assign(slot, this.#launch(number, slot.starts + 1));
  }

  #tell({ program }: Slot, message: ToWorker): void {
    program.send(message).catch(() => {});
  }

  #slot(number: number): Slot {
    const slot = this.#slots[number];
    if (slot === undefined) throw new Error(`there is no slot ${number}`);
    return slot;
  }
}
