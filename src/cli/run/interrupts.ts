import { constants } from 'node:os';

/** End a wait. */
const ENDING: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];
/** Mean something to the command, and nothing to a wait. */
const HARMLESS: readonly NodeJS.Signals[] = ['SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGALRM', 'SIGCONT'];

export const PASSED_ON: readonly NodeJS.Signals[] = [...ENDING, ...HARMLESS];

/** What a shell shows for a death by this signal. */
export const exitCodeOfSignal = (signal: NodeJS.Signals): number => 128 + constants.signals[signal];

/** Thrown in the place of a wait that a signal ended. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
    this.exitCode = exitCodeOfSignal(signal);
  }
}

/** The signals to `baton run`: the first that is to end something ends the wait, or all go to the command once it runs. */
export class Interrupts {
  readonly #abort = new AbortController();
  #receiver: ((signal: NodeJS.Signals) => void) | undefined;

  constructor() {
    for (const signal of PASSED_ON) process.on(signal, () => this.#on(signal));
  }

  /** Aborts with {@link Interrupted}. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** From now on signals go there, and end nothing here. */
  passTo(receiver: (signal: NodeJS.Signals) => void): void {
    this.#receiver = receiver;
  }

  #on(signal: NodeJS.Signals): void {
    if (this.#receiver !== undefined) this.#receiver(signal);
    else if (HARMLESS.includes(signal)) return;
    else if (this.#abort.signal.aborted) process.exit(exitCodeOfSignal(signal));
    else this.#abort.abort(new Interrupted(signal));
  }
}

/**
 * Lets signals end a command that has nothing to do for them. As process 1 of a container it would get none of those
 * that it has no handler for.
 */
export function endOnSignals(): void {
  for (const signal of ENDING) {
    process.once(signal, () => {
      // Without a handler again, so it dies by the signal, as shells want to know. Process 1 does not.
      process.kill(process.pid, signal);
      process.exit(exitCodeOfSignal(signal));
    });
  }
}
