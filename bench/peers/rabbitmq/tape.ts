import type { Frame } from '../../../test/support/amqp-frames.ts';
import { monotonicMs } from '../../clock.ts';

/** A method frame as it passed the socket of a process: when it was written, or read before anybody looked at it. */
export interface TapedFrame {
  /** Milliseconds of the machine's monotonic clock. */
  readonly atMs: number;
  readonly sent: boolean;
  readonly method: string;
}

/** Keeps frames only while it runs. */
export class Tape {
  #frames: TapedFrame[] | undefined;

  start(): void {
    this.#frames = [];
  }

  stop(): readonly TapedFrame[] {
    const frames = this.#frames ?? [];
    this.#frames = undefined;
    return frames;
  }

  note(sent: boolean, { method }: Frame): void {
    if (method !== undefined) this.#frames?.push({ atMs: monotonicMs(), sent, method });
  }
}
