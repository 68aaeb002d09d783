import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { HistoryEvent } from '../history.ts';

/** Reads what the processes of a folder write from now on. */
export class Tail {
  readonly #folder: string;
  readonly #offsets: Map<string, number>;

  private constructor(folder: string, offsets: Map<string, number>) {
    this.#folder = folder;
    this.#offsets = offsets;
  }

  static async open(folder: string): Promise<Tail> {
    const offsets = new Map<string, number>();
    for (const name of await histories(folder)) offsets.set(name, (await stat(join(folder, name))).size);
    return new Tail(folder, offsets);
  }

  /** The events since the last call. */
  async *read(): AsyncGenerator<HistoryEvent> {
    for (const name of await histories(this.#folder)) {
      const start = this.#offsets.get(name) ?? 0;
      const end = (await stat(join(this.#folder, name))).size;
      if (end <= start) continue;
      this.#offsets.set(name, end);
      // A line is one write, so the file never ends within one.
      const input = createReadStream(join(this.#folder, name), { start, end: end - 1 });
      for await (const line of createInterface({ input })) yield JSON.parse(line) as HistoryEvent;
    }
  }
}

async function histories(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith('.jsonl')).sort();
}
