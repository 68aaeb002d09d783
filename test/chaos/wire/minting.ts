/** Nobody takes longer between two steps, unless the broker does not answer: then it is not minting, but stuck. */
const STEP_MS = 3_000;

/** Whose token a process is making at the moment: between purging or declaring a queue and seeding it. */
export class Minting {
  readonly #since = new Map<string, number>();

  goesOn(lock: string): void {
    this.#since.set(lock, performance.now());
  }

  over(lock: string): void {
    this.#since.delete(lock);
  }

  get locks(): string[] {
    const oldest = performance.now() - STEP_MS;
    return [...this.#since].filter(([, since]) => since > oldest).map(([lock]) => lock);
  }
}
