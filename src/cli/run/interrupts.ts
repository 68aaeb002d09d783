import { constants } from 'node:os';

const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

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

/** SIGINT, SIGTERM and SIGHUP: the first one ends the wait for the lock, or all go to the command once it runs. */
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
    else if (this.#abort.signal.aborted) process.exit(exitCodeOfSignal(signal));
    else this.#abort.abort(new Interrupted(signal));
  }
}
