import type { Rules } from '../protocol/contender/types.ts';
import { type StatefulState, statefulWakeAt } from '../protocol/register/step.ts';
import type { Context } from './context.ts';

/** Wakes one contender: when its protocol wants it, to the millisecond, and for its verifications in rounds. */
export class WakeTimer {
  readonly #context: Context;
  readonly #rules: Rules;
  readonly #tell: (event: { type: 'wake' | 'verify' }) => void;
  readonly #place: number;
  #setFor: number | undefined;
  #unset: (() => void) | undefined;

  constructor(context: Context, rules: Rules, tell: (event: { type: 'wake' | 'verify' }) => void) {
    this.#context = context;
    this.#rules = rules;
    this.#tell = tell;
    this.#place = context.verifications.place();
  }

  /** Sets it for the next moment at which time alone can change this state. */
  set(state: StatefulState): void {
    const at = statefulWakeAt(state, this.#rules);
    if (at === this.#setFor) return;
    this.#unset?.();
    this.#setFor = at;
    this.#unset = at === undefined ? undefined : this.#start(at, state);
  }

  #start(at: number, { contender }: StatefulState): () => void {
    const { clock, verifications } = this.#context;
    const verifies = contender.at === 'held' && contender.verifyAt === at;
    return verifies ? verifications.join(this.#place, at, this.#verify) : clock.setTimer(at, this.#wake);
  }

  readonly #wake = (): void => {
    this.#setFor = undefined; // a timer may fire a little early: then it is set again
    this.#tell({ type: 'wake' });
  };

  readonly #verify = (): void => {
    this.#setFor = undefined;
    this.#tell({ type: 'verify' });
  };
}
