import type { ContenderEvent, ContenderState } from '../../../../src/protocol/contender/types.ts';
import { type Process, rule } from './process.ts';

/** What a contender has been told of its queue: whether it may declare one. */
export class QueueBook {
  readonly #process: Process;
  /** When it last learned that its queue is gone: by a cancellation, a 404, or a look. */
  #goneAt: number | undefined;
  /** Whether it knows by an answer, since the last declaration or failure, what has become of the queue. */
  #knows = false;

  constructor(process: Process) {
    this.#process = process;
  }

  learn(event: ContenderEvent, before: ContenderState): void {
    const consuming = before.at === 'opening' && before.phase === 'consuming';
    const noSuchQueue = event.type === 'closed' && event.absent === true && consuming;
    // Behind a stray it is the cancellation that decides; there a look alone says nothing.
    const noneSeen = event.type === 'looked' && event.depth === 'absent' && before.at === 'opening';
    if (event.type === 'cancelled' || noSuchQueue || noneSeen) {
      this.#goneAt = this.#process.now.mono;
      this.#knows = true;
    } else if (event.type === 'looked') {
      this.#knows = true;
    } else if (event.type === 'call-failed' || (event.type === 'closed' && before.at !== 'closing')) {
      this.#knows = false;
    }
  }

  /** A queue that is gone stays away for a while; where that matters most, one that may be is looked for first. */
  declared(): void {
    const { now, recreateAfterMs, looksFirst } = this.#process;
    const since = this.#goneAt === undefined ? recreateAfterMs : now.mono - this.#goneAt;
    rule(since >= recreateAfterMs, 'a queue is made again too soon after its deletion');
    rule(!looksFirst || this.#knows, 'a name is declared without a look at what there is');
    this.#knows = false;
  }
}
