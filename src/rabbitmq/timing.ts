const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5_000;

/** Doubling from 100 ms to at most 5 s, with jitter between half and whole, so that a fleet does not come back at once. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const whole = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 16));
  return whole * (0.5 + random() / 2);
}

/** A signal that is aborted by another one or after some time, whichever is first. */
export class Bound {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #outer: AbortSignal;
  readonly #abort = () => this.#controller.abort();

  constructor(outer: AbortSignal, timeoutMs: number) {
    this.#outer = outer;
    this.#timer = setTimeout(this.#abort, Math.max(0, timeoutMs));
    outer.addEventListener('abort', this.#abort);
    if (outer.aborted) this.#abort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Rejects when the signal is aborted. */
  get expired(): Promise<never> {
    const { signal } = this;
    return new Promise((_, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  }

  /** Must be called: a dial that succeeded may not be aborted afterwards. */
  release(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener('abort', this.#abort);
  }
}
