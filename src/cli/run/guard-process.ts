import { type ChildProcess, spawn } from 'node:child_process';
import { extname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Answer, FIRST_ORDER, type Order } from './guard-messages.ts';
import type { Line } from './line.ts';

const HERE = import.meta.url;
const GUARD = fileURLToPath(new URL(`./guard${extname(HERE)}`, HERE));
/** A busy machine needs a second for what takes 50 ms elsewhere. */
const START_WITHIN_MS = 20_000;

/** The guard does not run, so the command does not either. */
export class GuardError extends Error {
  override readonly name = 'GuardError';
}

/** One guard process: started, told, listened to. */
export class GuardProcess {
  /** Rejects with {@link GuardError} if the guard cannot do its work. */
  readonly ready: Promise<void>;
  /** Resolves when the process has ended, or could not be started. */
  readonly gone: Promise<void>;
  onAnswer: (answer: Answer) => void = () => {};
  readonly #process: ChildProcess;
  #isReady = false;
  #unanswered = 0;
  #answered: () => void = () => {};

  /**
   * @param title what `ps` shows behind the guard's file name
   * @param first carried out even if this process dies before the guard listens to it
   */
  constructor(title: string, first?: Order) {
    const { NODE_OPTIONS: _, ...env } = process.env;
    const loader = GUARD.endsWith('.ts') ? process.execArgv : [];
    this.#process = spawn(process.execPath, [...loader, GUARD, title], {
      env: first === undefined ? env : { ...env, [FIRST_ORDER]: JSON.stringify(first) },
      // Not the standard streams of the command: Node would set a terminal back to what it was when it exits.
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', 0, 1, 2],
      detached: true,
    });
    const child = this.#process;
    let lastWords = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      lastWords = (lastWords + text).slice(0, 10_000);
    });
    child.on('message', (answer: Answer) => {
      this.#unanswered = 0;
      this.#answered();
      this.onAnswer(answer);
    });
    // After 'disconnect' nothing more is heard of it; without a process there is only 'error'.
    this.gone = new Promise((resolve) => {
      child.once('disconnect', resolve);
      child.once('error', () => child.pid === undefined && resolve());
    });
    this.ready = new Promise((resolve, reject) => {
      const timer = setTimeout(() => fail('it did not answer in time'), START_WITHIN_MS);
      const fail = (why: string) => {
        clearTimeout(timer);
        reject(new GuardError(`the guard process could not be started: ${why}`));
      };
      child.once('message', () => {
        this.#isReady = true;
        clearTimeout(timer);
        resolve();
      });
      child.once('error', (error) => fail(error.message));
      // 'close' comes after its last words.
      child.once('close', (code, signal) => {
        const error = /^\w*Error\b.*$/m.exec(lastWords)?.[0];
        fail(error ?? (signal === null ? `it ended with exit code ${code}` : `it was killed by ${signal}`));
      });
    });
    // It is awaited later, or never.
    this.ready.catch(() => {});
  }

  /** How many orders in a row it has not answered. */
  get unanswered(): number {
    return this.#unanswered;
  }

  get isGone(): boolean {
    return !this.#process.connected;
  }

  send(order: Order, line?: Line): void {
    if (this.isGone) return;
    if (this.#isReady) this.#unanswered += 1;
    this.#process.send(order, line, {}, () => {});
  }

  /** Hands over lines to the broker, and waits for the answers. False if there is none within that time. */
  async keep(lines: readonly (Line | undefined)[], withinMs: number): Promise<boolean> {
    await this.ready;
    for (const line of lines) {
      const answered = new Promise<boolean>((resolve) => {
        this.#answered = () => resolve(true);
        void this.gone.then(() => resolve(false));
        // An answer may have come while this process did not run: it is read first.
        setTimeout(() => void setImmediate().then(() => resolve(false)), withinMs).unref();
      });
      this.send({ do: 'keep' }, line);
      if (!(await answered)) return false;
    }
    return true;
  }

  signal(signal: 'SIGCONT' | 'SIGKILL'): void {
    this.#process.kill(signal);
  }

  /** It ends, and kills first what still runs under it. */
  dismiss(): void {
    if (this.#process.connected) this.#process.disconnect();
  }
}
