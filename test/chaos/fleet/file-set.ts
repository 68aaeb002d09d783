import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** A page is sealed under another name when it is full, so that a run of an hour does not write megabytes each time. */
const PAGE = 300;

/** A set of a lock in plain files that nothing but the lock protects: each addition reads and writes the whole page. */
export class FileSet {
  readonly #folder: string;
  readonly #page: string;
  readonly #lock: string;

  constructor(folder: string, lock: string) {
    this.#folder = folder;
    this.#lock = lock;
    this.#page = join(folder, `${lock}.page`);
  }

  /**
   * Reads, waits `ms`, then calls `check`, which throws if the lock has been lost, and writes at once. A file is replaced
   * by renaming: who is killed leaves the old one or the new one, never half of one.
   */
  async add(element: string, ms: number, check: () => void): Promise<void> {
    const elements = read(this.#page);
    await pause(ms);
    check();
    if (elements.length >= PAGE) {
      replace(join(this.#folder, `${this.#lock}.${randomUUID()}.sealed`), elements);
      elements.length = 0;
    }
    replace(this.#page, [...elements, element]);
  }

  /** The elements of all pages. */
  all(): string[] {
    const sealed = readdirSync(this.#folder).filter(
      (name) => name.startsWith(`${this.#lock}.`) && name.endsWith('.sealed'),
    );
    return [...sealed.flatMap((name) => read(join(this.#folder, name))), ...read(this.#page)];
  }
}

function read(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
}

function replace(path: string, elements: readonly string[]): void {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${elements.join('\n')}\n`);
  renameSync(draft, path);
}
