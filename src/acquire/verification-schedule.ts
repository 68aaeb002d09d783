import { alone } from '../callbacks.ts';
import type { Clock } from '../clock.ts';

/** Into how many rounds `verifyEveryMs` is divided: one each 200 ms by default. */
const ROUNDS = 25;
/** Multiples of it, without their whole part, lie evenly between 0 and 1, however many there are. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

interface Round {
  readonly members: Set<() => void>;
  close: () => void;
}

/**
 * When the holds of one coordinator are verified. Each has a place of its own in `verifyEveryMs`, so locks that were
 * taken in one moment are not verified in one moment. There are only {@link ROUNDS} places: the questions of a round
 * share a timer, and on their way out a write.
 */
export class VerificationSchedule {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #rounds = new Map<number, Round>();
  #places = 0;

  constructor(clock: Clock, verifyEveryMs: number) {
    this.#clock = clock;
    this.#everyMs = verifyEveryMs;
  }

  /** For one hold: how far into `verifyEveryMs` its round is, in milliseconds. */
  place(): number {
    this.#places += 1;
    return (Math.floor(((this.#places * GOLDEN) % 1) * ROUNDS) * this.#everyMs) / ROUNDS;
  }

  /**
   * Calls back once: in the last round of `place` that is not after `dueMono`, and at `dueMono` when that round has
   * been. Returns a function that cancels it.
   */
  join(place: number, dueMono: number, callback: () => void): () => void {
    const at = Math.floor((dueMono - place) / this.#everyMs) * this.#everyMs + place;
    if (at <= this.#clock.now().mono) return this.#clock.setTimer(dueMono, callback);
    const round = this.#rounds.get(at) ?? this.#open(at);
    round.members.add(callback);
    return () => {
      round.members.delete(callback);
      if (round.members.size > 0 || this.#rounds.get(at) !== round) return;
      round.close();
      this.#rounds.delete(at);
    };
  }

  #open(at: number): Round {
    const round: Round = { members: new Set(), close: () => {} };
    this.#rounds.set(at, round);
    this.#await(at, round);
    return round;
  }

  #await(at: number, round: Round): void {
    round.close = this.#clock.setTimer(at, () => {
      if (this.#clock.now().mono < at) return this.#await(at, round); // a timer may fire a little early
      this.#rounds.delete(at);
      for (const callback of round.members) alone(callback);
    });
  }
}
