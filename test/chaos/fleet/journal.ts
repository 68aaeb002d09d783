import { closeSync, openSync, writeSync } from 'node:fs';
import { type HistoryEvent, nowUs } from '../history.ts';

type WithoutTime<E> = E extends HistoryEvent ? Omit<E, 'at'> & { readonly at?: number } : never;
/** An event; it is given the time of writing unless it brings its own. */
export type NewEvent = WithoutTime<HistoryEvent>;

/** Appends events to a history file, each with one write: a process that is killed has lost none. */
export class Journal {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  write(event: NewEvent): void {
    writeSync(this.#file, `${JSON.stringify({ at: nowUs(), ...event })}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }
}
