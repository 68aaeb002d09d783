/**
 * The other process of a test: started from a TypeScript file, heard over IPC or as one JSON object per line of
 * stdout, stopped, continued and killed as real processes are.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The project's folder, where `--import tsx` can be resolved from. */
const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const KEPT_OUTPUT = 20_000;
const running = new Set<Program>();
// A stopped program does not notice that anybody who started it is gone.
process.on('exit', () => {
  for (const program of running) program.signal('SIGKILL');
});

export interface ProgramOptions {
  readonly args?: readonly string[];
  /** Added to this process's environment; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface WaitOptions {
  /** 10 s by default. */
  readonly timeoutMs?: number;
  /** Names what is awaited, for the error. */
  readonly what?: string;
}

export interface ProgramExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

interface Waiter {
  readonly matches: (message: unknown) => boolean;
  readonly resolve: (message: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Program {
  readonly file: string;
  /** Resolves, never rejects, once the process is gone and its output has been read. */
  readonly exit: Promise<ProgramExit>;
  readonly #child: ChildProcess;
  readonly #inbox: unknown[] = [];
  readonly #waiters = new Set<Waiter>();
  #stdout = '';
  #stderr = '';
  #line = '';
  #exited: ProgramExit | undefined;

  /** Internal: use {@link startProgram}. */
  constructor(file: string, child: ChildProcess) {
    this.file = file;
    this.#child = child;
    running.add(this);
    child.on('message', (message) => this.#receive(message));
    child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-KEPT_OUTPUT);
    });
    this.exit = new Promise((resolve) => {
      // 'close' comes after 'exit' and after the last byte of output; a failed spawn has only 'error'.
      child.on('error', (error) => {
        this.#stderr += String(error);
        if (child.pid === undefined) resolve(this.#ended({ code: null, signal: null }));
      });
      child.on('close', (code, signal) => resolve(this.#ended({ code, signal })));
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.file} did not start: ${this.#stderr}`);
    return this.#child.pid;
  }

  /** What it wrote so far, the last 20 kB; the same below. */
  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Sends one message over IPC: `process.on('message')` in the program. */
  async send(message: object): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#child.send(message, (error) => (error ? reject(error) : resolve()));
    });
  }

  /**
   * Takes the oldest message not yet taken that matches, waiting for it if need be.
   * Rejects after the timeout, or at once when the program ends, with what it wrote to stderr.
   */
  async next<T = unknown>(matches: (message: T) => boolean, options: WaitOptions = {}): Promise<T> {
    const accepts = (message: unknown): boolean => matches(message as T);
    const found = this.#inbox.findIndex(accepts);
    if (found >= 0) return this.#inbox.splice(found, 1)[0] as T;
    const { timeoutMs = 30_000, what = 'a message' } = options;
    if (this.#exited) throw this.#failure(`ended before ${what} came`);
    return new Promise<T>((resolve, reject) => {
      const settle = (done: () => void): void => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        done();
      };
      const waiter: Waiter = {
        matches: accepts,
        resolve: (message) => settle(() => resolve(message as T)),
        reject: (error) => settle(() => reject(error)),
      };
      const timer = setTimeout(
        () => waiter.reject(this.#failure(`did not send ${what} within ${timeoutMs} ms`)),
        timeoutMs,
      );
      this.#waiters.add(waiter);
    });
  }

  /** Sends a signal (SIGKILL by default) and resolves when the process is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<ProgramExit> {
    // A stopped process acts on nothing but SIGKILL until it is continued.
    if (signal !== 'SIGKILL') this.signal('SIGCONT');
    this.signal(signal);
    return this.exit;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#exited === undefined && this.#child.pid !== undefined) this.#child.kill(signal);
  }

  /** The process stands still, its sockets stay open. */
  stop(): void {
    this.signal('SIGSTOP');
  }

  cont(): void {
    this.signal('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #read(text: string): void {
    this.#stdout = (this.#stdout + text).slice(-KEPT_OUTPUT);
    const lines = (this.#line + text).split('\n');
    this.#line = lines.pop() ?? '';
    for (const line of lines) {
      if (!line.startsWith('{')) continue;
      try {
        this.#receive(JSON.parse(line));
      } catch {
        // Not ours: a line of talk that begins with a brace.
      }
    }
  }

  #receive(message: unknown): void {
    for (const waiter of this.#waiters) {
      if (!waiter.matches(message)) continue;
      waiter.resolve(message);
      return;
    }
    this.#inbox.push(message);
  }

  #ended(exit: ProgramExit): ProgramExit {
    this.#exited = exit;
    running.delete(this);
    for (const waiter of [...this.#waiters])
      waiter.reject(this.#failure('ended before the awaited message came'));
    return exit;
  }

  #failure(what: string): Error {
    const how = this.#exited ? ` (exit code ${this.#exited.code}, signal ${this.#exited.signal})` : '';
    return new Error(`${this.file} ${what}${how}; its stderr:\n${this.#stderr.trim() || '(nothing)'}`);
  }
}

/** Starts a TypeScript program (an absolute path or file URL) as a child of this process. */
export function startProgram(file: string | URL, options: ProgramOptions = {}): Program {
  const path = typeof file === 'string' ? file : fileURLToPath(file);
  const child = spawn(process.execPath, ['--import', 'tsx', path, ...(options.args ?? [])], {
    cwd: PROJECT,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  return new Program(path, child);
}

/** Kills every program still running; for `afterEach` or `afterAll`. */
export async function killPrograms(): Promise<void> {
  await Promise.all([...running].map((program) => program.kill()));
}

process.once('exit', () => {
  for (const program of running) program.signal('SIGKILL');
});
