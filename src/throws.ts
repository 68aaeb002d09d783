import { type BatonError, BrokerUnreachableError, QueueMismatchError } from './errors.ts';

/** How often a message may make this client throw before its caller is told. */
const AT_MOST = 3;

/**
 * What one contender threw at messages. That ends its channel (broker/consumer.ts), and the message comes again with the
 * next place in line: after a rest, and not for long.
 */
export class Throws {
  #last: { readonly cause: unknown } | undefined;
  #count = 0;

  note(work: () => void): void {
    try {
      work();
    } catch (cause) {
      this.#last = { cause };
      this.#count += 1;
      throw cause;
    }
  }

  /** Why the channel ended, if it was for this. */
  take(queue: string): { error?: BatonError } {
    const last = this.#last;
    this.#last = undefined;
    if (last === undefined) return {};
    const what = `a message of queue ${queue} or of its state could not be dealt with, see the cause; it was given back`;
    return this.#count > AT_MOST
      ? { error: new QueueMismatchError(`${what} ${this.#count} times. Remove it if it is foreign`, last) }
      : { error: new BrokerUnreachableError(what, last) };
  }
}
