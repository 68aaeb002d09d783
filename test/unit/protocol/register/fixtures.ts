import type { ContenderEvent, Inputs, Rules } from '../../../../src/protocol/contender/types.ts';
import { encodeEntry } from '../../../../src/protocol/register/entry.ts';
import {
  STATEFUL_IDLE,
  type StatefulEffect,
  type StatefulEvent,
  type StatefulState,
  statefulStep,
} from '../../../../src/protocol/register/step.ts';
import { delivered, inputs, RULES, V4_3 } from '../contender/fixtures.ts';

export const STATEFUL: Rules = { ...RULES, carriesState: true };
export const LINE = 1;
/** That of the hold in these tests: base 1000, returned twice. */
export const FENCE = 1_002n;
const IDS = '0190a1b2-0000-7000-8000-0000000000';

/** One contender with state, step by step. */
export class Steps {
  state: StatefulState = STATEFUL_IDLE;
  readonly #rules: Rules;
  /** Of the token, as it was last delivered. */
  #returns = 2;

  constructor(rules: Rules = STATEFUL) {
    this.#rules = rules;
  }

  feed(event: StatefulEvent, changes: Partial<Inputs> = {}): readonly StatefulEffect[] {
    const [state, effects] = statefulStep(this.state, event, inputs(changes), this.#rules);
    this.state = state;
    return effects;
  }

  /** What was done, by name. */
  does(event: StatefulEvent, changes: Partial<Inputs> = {}): string {
    return this.feed(event, changes)
      .map((effect) => effect.do)
      .join(' ');
  }

  get at(): string {
    return `${this.state.contender.at}/${this.state.register?.at ?? 'none'}`;
  }

  /** As far as the token: the register is asked for, and the first verification is under way. */
  toToken(): this {
    const script: ContenderEvent[] = [
      { type: 'start', known: true },
      { type: 'consuming', channelId: LINE, traits: V4_3 },
      delivered(2, undefined, LINE),
      { type: 'verify' },
    ];
    for (const event of script) this.feed(event);
    return this;
  }

  /** The token's first verification has been answered. */
  toReading(empty = false): this {
    this.toToken().feed({ type: 'register-declared', channelId: LINE, empty });
    this.prove();
    return this;
  }

  /** The question that is under way is answered with proof. */
  prove(changes: Partial<Inputs> = {}): readonly StatefulEffect[] {
    this.#returns += 1;
    return this.feed(delivered(this.#returns, undefined, LINE), changes);
  }

  /** What follows on a proof, by name. */
  proof(changes: Partial<Inputs> = {}): string {
    return this.prove(changes)
      .map((effect) => effect.do)
      .join(' ');
  }

  /** As far as the grant, with `cursor: 1` of fence 1000 in hand, tag 12. */
  toKept(): this {
    this.toReading();
    this.feed(entry('a', { returns: 0, tag: 10 }));
    this.feed(entry('a', { returns: 1, tag: 11 }));
    this.feed(entry('a', { returns: 2, tag: 12 }));
    this.prove();
    return this;
  }
}

interface Arrival {
  readonly returns?: number;
  readonly tag?: number;
  readonly fence?: bigint;
  readonly seq?: number;
  readonly state?: unknown;
}

/** An entry of the register arrives; the same letter is the same entry. */
export function entry(letter: 'a' | 'b' | 'c', arrival: Arrival = {}): StatefulEvent {
  const { returns = 0, tag = 11, fence = 1_000n, seq = 1 } = arrival;
  const state = 'state' in arrival ? arrival.state : { cursor: 1 };
  const body = encodeEntry(
    { id: `${IDS}0${letter}`, fence, seq, state },
    { name: RULES.name, by: 'x', at: 0 },
  );
  return {
    type: 'register-delivered',
    channelId: LINE,
    delivery: { deliveryTag: tag, body, returns, nacked: undefined },
  };
}

export function message(body: Uint8Array, tag = 11): StatefulEvent {
  return {
    type: 'register-delivered',
    channelId: LINE,
    delivery: { deliveryTag: tag, body, returns: 0, nacked: undefined },
  };
}
