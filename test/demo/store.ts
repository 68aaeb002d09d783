import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One line of a resource's journal: the trace that a job leaves. */
export interface JournalLine {
  readonly job: string;
  readonly fence: string;
  readonly worker: string;
  readonly before: number;
  readonly after: number;
}

interface Counter {
  /** The highest fence that this resource has been shown. */
  readonly fence: string;
  readonly value: number;
}

/** The resource has been shown a newer fence: anybody who comes with this one is no longer the holder. */
export class FenceRefusedError extends Error {
  override readonly name = 'FenceRefusedError';
}

/**
 * A shared resource as plain files: `<name>.json` with a value and the highest fence, `<name>.journal` with one line
 * for each job. It guards itself as a fenced resource does, and only against the past: two programs with the same
 * fence, or with none, overwrite each other's work.
 *
 * A database would compare and write in one step. Here that is a synchronous stretch of well under a millisecond,
 * and the demo stops its workers in the pauses between.
 */
export class SharedFile {
  readonly #counter: string;
  readonly #journal: string;

  constructor(folder: string, resource: string) {
    this.#counter = join(folder, `${resource}.json`);
    this.#journal = join(folder, `${resource}.journal`);
  }

  create(): void {
    this.#write({ fence: '0', value: 0 });
    writeFileSync(this.#journal, '');
  }

  /**
   * Shows the fence and reads the value. The fence is kept already now and not at the write: otherwise a stale
   * holder could still write between the new holder's reading and writing.
   *
   * @throws FenceRefusedError
   */
  open(fence: bigint): { readonly value: number; hasDone(job: string): boolean } {
    const counter = this.#admit(fence);
    const lines = this.journal();
    // A holder may have died between the two writes of commit; the journal is written first, so it is right.
    const value = lines.at(-1)?.after ?? counter.value;
    this.#write({ fence: String(fence), value });
    return { value, hasDone: (job) => lines.some((line) => line.job === job) };
  }

  /** Writes what was made of the value that `open` gave. Throws FenceRefusedError. */
  commit(fence: bigint, entry: Omit<JournalLine, 'fence'>): void {
    this.#admit(fence);
    appendFileSync(this.#journal, `${JSON.stringify({ ...entry, fence: String(fence) })}\n`);
    this.#write({ fence: String(fence), value: entry.after });
  }

  value(): number {
    return this.#read().value;
  }

  journal(): JournalLine[] {
    const lines = readFileSync(this.#journal, 'utf8').split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line) as JournalLine);
  }

  #admit(fence: bigint): Counter {
    const counter = this.#read();
    if (fence >= BigInt(counter.fence)) return counter;
    throw new FenceRefusedError(`fence ${fence} is older than ${counter.fence}`);
  }

  #read(): Counter {
    return JSON.parse(readFileSync(this.#counter, 'utf8')) as Counter;
  }

  #write(counter: Counter): void {
    // Renamed into place, so that nobody ever reads half a file.
    const draft = `${this.#counter}.${process.pid}`;
    writeFileSync(draft, JSON.stringify(counter));
    renameSync(draft, this.#counter);
  }
}
