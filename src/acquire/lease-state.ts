import type { Clock } from '../clock.ts';
import { BrokerUnreachableError, StateError } from '../errors.ts';
import type { Handed } from '../protocol/register/types.ts';
import { checkState, readState, type StateSchema } from '../state.ts';
import type { HoldHandle } from './hold.ts';

interface Save<T> {
  readonly state: T;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

interface LeaseStateParts<T> {
  readonly lock: string;
  readonly schema: StateSchema<T> | undefined;
  readonly hold: HoldHandle;
  readonly clock: Clock;
}

/** The state of one lease: what it was handed, and what its holder saves. Without a schema the lock carries none. */
export class LeaseState<T> {
  value: T | undefined;
  minted = false;
  readonly #lock: string;
  readonly #schema: StateSchema<T> | undefined;
  readonly #hold: HoldHandle;
  readonly #clock: Clock;
  /** Saves that the register has not handed back, by ticket. They may still land after their caller has left. */
  readonly #saves = new Map<number, Save<T>>();
  #lastTicket = 0;
  /** The save that `value` is of. */
  #shown = 0;

  constructor({ lock, schema, hold, clock }: LeaseStateParts<T>) {
    this.#lock = lock;
    this.#schema = schema;
    this.#hold = hold;
    this.#clock = clock;
  }

  /** Throws StateError when what was handed over does not fit the schema. */
  async read({ state, minted }: Handed): Promise<void> {
    this.minted = minted;
    if (this.#schema === undefined || minted) return;
    await undefined; // the grant is a step of ours, and the schema is code of a user
    this.value = await readState(this.#schema, state, this.#lock);
  }

  /** `stillHeld` throws when the lease has ended while an asynchronous schema was at work. */
  async save(value: T, timeoutMs: number, stillHeld: () => void): Promise<void> {
    if (this.#schema === undefined) {
      const problem = 'was opened without a schema';
      const message = `lock ${JSON.stringify(this.#lock)} ${problem}: open it with baton.lock(name, { state: schema }) to save`;
      throw new StateError(message, { problems: [problem] });
    }
    const { json, state } = await checkState(this.#schema, value, this.#lock);
    stillHeld();
    this.#lastTicket += 1;
    const ticket = this.#lastTicket;
    let cancelTimer: (() => void) | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#saves.set(ticket, { state, resolve, reject });
        if (Number.isFinite(timeoutMs)) {
          cancelTimer = this.#clock.setTimer(this.#clock.now().mono + timeoutMs, () =>
            reject(this.#unanswered(timeoutMs)),
          );
        }
        this.#hold.dispatch({ type: 'save', state: json, ticket });
      });
    } finally {
      cancelTimer?.();
    }
  }

  saved(ticket: number): void {
    const save = this.#saves.get(ticket);
    this.#saves.delete(ticket);
    if (save === undefined) return;
    if (ticket > this.#shown) {
      this.#shown = ticket;
      this.value = save.state;
    }
    save.resolve();
  }

  /** It may have landed all the same: then `saved` follows. */
  saveFailed(ticket: number, error: Error): void {
    this.#saves.get(ticket)?.reject(error);
  }

  /** The lease has ended. */
  rejectAll(why: () => Error): void {
    for (const { reject } of this.#saves.values()) reject(why());
    this.#saves.clear();
  }

  #unanswered(timeoutMs: number): BrokerUnreachableError {
    return new BrokerUnreachableError(
      `the save to lock ${JSON.stringify(this.#lock)} was not confirmed within ${timeoutMs} ms; it may still come into effect while this lease lasts. Check that the broker is reachable and not blocked by an alarm`,
    );
  }
}
