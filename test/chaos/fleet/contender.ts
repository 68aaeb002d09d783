import { setTimeout as pause } from 'node:timers/promises';
import { isBatonError } from '../../../src/index.ts';
import { nowUs } from '../history.ts';
import type { Hold, LockClient, Wait } from './client.ts';
import type { FencedSets } from './fenced-set.ts';
import type { FileSet } from './file-set.ts';
import type { Journal } from './journal.ts';
import type { Proof } from './proofs.ts';

export interface Surroundings {
  readonly who: string;
  readonly client: LockClient;
  readonly journal: Journal;
  readonly store: FencedSets;
  readonly files: FileSet;
  readonly random: () => number;
  /** The last proof that the wire showed for this lock. */
  readonly lastProof: () => Proof | undefined;
  /** How long the next hold has to last, when somebody asked for a long one; taken with the call. */
  readonly takeHoldMs: () => number | undefined;
}

const LONG_HOLD = 0.004;
const LOOK_MS = 120;

/** The life of one process with one lock: acquires, works, releases. Never two at a time. */
export class Contender {
  readonly #lock: string;
  readonly #around: Surroundings;
  #hold: Hold | undefined;
  #elements = 0;

  constructor(lock: string, around: Surroundings) {
    this.#lock = lock;
    this.#around = around;
  }

  /** Turn after turn until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { random } = this.#around;
    while (!signal.aborted) {
      const calm = await this.turn(this.#pickWait());
      await pause(calm ? 5 + 25 * random() : 100 + 200 * random());
    }
  }

  /** One acquire, and the work if it succeeds. False when it did not. */
  async turn(wait: Wait): Promise<boolean> {
    const { who, journal, client } = this.#around;
    const since = nowUs();
    const about = { who, lock: this.#lock };
    journal.write({ ...about, type: 'acquiring', at: since });
    try {
      const hold = await client.acquire(this.#lock, wait);
      if (hold === undefined) journal.write({ ...about, type: 'refused', code: 'held' });
      else await this.#use(hold, since);
      return true;
    } catch (error) {
      journal.write({ ...about, type: 'refused', code: codeOf(error) });
      return false;
    }
  }

  /** The wire showed an answered verification. */
  proven({ sentAt }: Proof): void {
    const { who, journal } = this.#around;
    if (this.#hold === undefined) return;
    journal.write({ type: 'proven', who, lock: this.#lock, fence: this.#hold.fence, sentAt });
  }

  async #use(hold: Hold, since: number): Promise<void> {
    const { who, journal, lastProof, random, store } = this.#around;
    const about = { who, lock: this.#lock, fence: hold.fence };
    const at = nowUs();
    journal.write({ ...about, type: 'granted', at });
    this.#hold = hold;
    let [isLost, isNew] = [false, true];
    hold.onLost((reason) => {
      isLost = true;
      this.#hold = undefined;
      journal.write({ ...about, type: 'lost', reason, ...(isNew && { at }) });
    });
    // It may have run out before anybody saw it, if this process stood still: then it was never believed in.
    checked(hold);
    isNew = false;
    const proof = lastProof();
    if (proof !== undefined && proof.sentAt > since) this.proven(proof);
    await this.#work(hold).catch(() => {});
    this.#hold = undefined;
    if (!isLost) {
      journal.write({ ...about, type: 'releasing' });
      // An error of the release says that the broker did not answer; the belief is over all the same.
      await hold.release().then(
        () => journal.write({ ...about, type: 'released' }),
        () => {},
      );
      return;
    }
    await hold.release().catch(() => {});
    // What a fence is for: a holder that has lost its lease, and writes.
    if (random() < 0.5) await this.#store(hold, store);
  }

  async #work(hold: Hold): Promise<void> {
    const { random, takeHoldMs } = this.#around;
    const holdMs = takeHoldMs() ?? (random() < LONG_HOLD ? 1_500 + 2_500 * random() : 0);
    const until = nowUs() + holdMs * 1_000;
    do {
      await this.#step(hold);
      if (holdMs > 0) await pause(LOOK_MS);
    } while (nowUs() < until);
    if (random() < 0.2) await this.#step(hold);
    await pause(15 * random());
  }

  async #step(hold: Hold): Promise<void> {
    const { who, journal, files, random, store } = this.#around;
    const about = { who, lock: this.#lock, fence: hold.fence };
    const check = () => {
      // The clock is read first: nothing is known of the time between the check and the line.
      const at = nowUs();
      hold.throwIfLost();
      journal.write({ ...about, type: 'believed', at });
    };
    check();
    const element = this.#next(hold);
    await files.add(element, 1 + 3 * random(), check);
    journal.write({ ...about, type: 'filed', element });
    check();
    await this.#store(hold, store);
  }

  async #store(hold: Hold, store: FencedSets): Promise<void> {
    const { who, journal } = this.#around;
    const element = this.#next(hold);
    const outcome = await store.add(this.#lock, hold.fence, element).catch(() => 'failed' as const);
    journal.write({ who, lock: this.#lock, fence: hold.fence, type: 'stored', element, outcome });
  }

  #next(hold: Hold): string {
    this.#elements += 1;
    return `${this.#around.who}:${hold.fence}:${this.#elements}`;
  }

  #pickWait(): Wait {
    const { random } = this.#around;
    const kind = random();
    if (kind < 0.55) return {};
    if (kind < 0.75) return { timeoutMs: Math.ceil(200 + 3_000 * random()) };
    if (kind < 0.9) return { timeoutMs: 0 };
    return { signal: AbortSignal.timeout(Math.ceil(300 * random() ** 3)) };
  }
}

function checked(hold: Hold): void {
  try {
    hold.throwIfLost();
  } catch {
    // It has been told by way of onLost.
  }
}

function codeOf(error: unknown): string {
  if (isBatonError(error)) return error.code;
  return error instanceof Error ? error.message.slice(0, 80) : String(error);
}
