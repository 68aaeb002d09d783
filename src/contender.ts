import { v7 as uuid } from 'uuid';
import type { ConsumerChannel, ConsumerListener } from './broker/port.ts';
import type { Context } from './context.ts';
import { waitingChannel } from './diagnostics.ts';
import type { BatonError, LostReason } from './errors.ts';
import { asBatonError, type NameRecord } from './ledger.ts';
import { IDLE, step, vouchedMs, wakeAt } from './protocol/contender/step.ts';
import type { ContenderEvent, ContenderState, Effect, Refusal, Rules } from './protocol/contender/types.ts';
import type { Instant } from './protocol/instant.ts';
import { consumerTag, contenderId, recreation } from './protocol/topology.ts';

/** What a contender tells the call and the lease that it works for. All are called with the state already final. */
export interface ContenderOwner {
  granted(fence: bigint): void;
  refused(refusal: Refusal): void;
  proven(sentAt: Instant): void;
  lost(reason: LostReason, cause: BatonError | undefined): void;
  /** Nothing of this contender is left at the broker, or it was lost. Called exactly once, last. */
  ended(): void;
}

/** Runs the protocol of one contender against a broker: feeds it events, carries out its effects, keeps its timer. */
export class Contender {
  readonly #context: Context;
  readonly #rules: Rules;
  readonly #record: NameRecord;
  readonly #owner: ContenderOwner;
  readonly #channels = new Map<number, ConsumerChannel>();
  readonly #queued: ContenderEvent[] = [];
  #state: ContenderState = IDLE;
  #dispatching = false;
  #ended = false;
  #tag = '';
  #armedFor: number | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(context: Context, rules: Rules, record: NameRecord, owner: ContenderOwner) {
    this.#context = context;
    this.#rules = rules;
    this.#record = record;
    this.#owner = owner;
  }

  get at(): ContenderState['at'] {
    return this.#state.at;
  }

  /** The latest consumer tag: whose place in line, or hold, this is. */
  get tag(): string {
    return this.#tag;
  }

  get queue(): string {
    return this.#record.queue;
  }

  /** How long the hold can be vouched for, in milliseconds, read from the clocks now. 0 when nothing is held. */
  get vouchedMs(): number {
    return vouchedMs(this.#state, this.#rules, this.#context.clock.now());
  }

  start(): void {
    this.#record.joined();
    this.dispatch({ type: 'start', known: this.#record.known });
  }

  /** Feeds one event. From inside an effect it is queued, so that effects are carried out in order. */
  dispatch(event: ContenderEvent): void {
    this.#queued.push(event);
    if (this.#dispatching) return;
    this.#dispatching = true;
    try {
      for (let next = this.#queued.shift(); next !== undefined; next = this.#queued.shift()) this.#step(next);
    } finally {
      this.#dispatching = false;
    }
    this.#arm();
  }

  #step(event: ContenderEvent): void {
    const around = {
      now: this.#context.clock.now(),
      highestSeen: this.#record.highestSeen,
      ranLately: this.#context.ranLately(),
      justReleased: this.#record.justReleased,
      ...recreation(this.#context.session.traits.version[0]),
    };
    const before = this.#state.at;
    const [state, effects] = step(this.#state, event, around, this.#rules);
    this.#state = state;
    if (isInLine(before) && !isInLine(state.at)) this.#record.left();
    if (before === 'closing' && state.at === 'released') this.#record.released();
    if (!isInLine(before) && isInLine(state.at)) this.#record.joined();
    if (state.at === 'waiting' && before !== 'waiting' && waitingChannel.hasSubscribers) {
      waitingChannel.publish({ lock: this.#rules.name, service: this.#context.identity.service });
    }
    for (const effect of effects) this.#carryOut(effect);
    if (state.at === 'lost') this.#end();
  }

  #carryOut(effect: Effect): void {
    switch (effect.do) {
      case 'look':
      case 'declare':
      case 'seed':
      case 'remove':
        this.#call(effect.do, effect.call);
        break;
      case 'consume':
        this.#consume(effect.line);
        break;
      case 'barrier':
        void this.#barrier(effect.line);
        break;
      case 'requeue':
        this.#channels.get(effect.line)?.requeue(effect.deliveryTag);
        break;
      case 'ack':
        this.#channels.get(effect.line)?.ack(effect.deliveryTag);
        break;
      case 'close':
        this.#channels.get(effect.line)?.close();
        break;
      case 'saw':
        this.#record.saw(effect.fence);
        break;
      case 'know':
        this.#record.known = effect.known;
        break;
      case 'grant':
        this.#owner.granted(effect.fence);
        break;
      case 'refuse':
        this.#owner.refused(effect.refusal);
        break;
      case 'prove':
        this.#owner.proven(effect.sentAt);
        break;
      case 'lose':
        this.#owner.lost(effect.reason, effect.cause);
        break;
      case 'end':
        this.#end();
        break;
    }
  }

  #call(what: 'look' | 'declare' | 'seed' | 'remove', call: number): void {
    this.#ask(what, call).then(
      (event) => this.dispatch(event),
      (error: unknown) => this.dispatch({ type: 'call-failed', call, error: asBatonError(error) }),
    );
  }

  async #ask(what: 'look' | 'declare' | 'seed' | 'remove', call: number): Promise<ContenderEvent> {
    switch (what) {
      case 'look': {
        // While opening, an answer that is a moment old will do; a decision to delete needs one of its own.
        const depth = await (this.#state.at === 'opening'
          ? this.#record.shared('look')
          : this.#record.look());
        return { type: 'looked', call, depth };
      }
      case 'declare':
        return { type: 'declared', call, depth: await this.#record.shared('declare') };
      case 'seed':
        await this.#record.shared('seed');
        return { type: 'seeded', call };
      case 'remove':
        await this.#record.remove();
        return { type: 'removed', call };
    }
  }

  async #barrier(line: number): Promise<void> {
    const depth = await this.#channels.get(line)?.barrier();
    if (depth !== undefined) this.dispatch({ type: 'barrier', line });
  }

  #consume(line: number): void {
    const { session, identity, clock } = this.#context;
    const tag = consumerTag(identity, contenderId(clock.now().wall, uuid()), this.#rules.name);
    this.#tag = tag;
    const listener: ConsumerListener = {
      consuming: (traits) => this.dispatch({ type: 'consuming', line, traits }),
      delivered: (delivery) => this.dispatch({ type: 'delivered', line, delivery }),
      cancelled: () => this.dispatch({ type: 'cancelled', line }),
      closed: (end) => {
        this.#channels.delete(line);
        this.dispatch({ type: 'closed', line, ...end });
      },
    };
    this.#channels.set(line, session.consume(this.#record.queue, tag, listener));
  }

  #arm(): void {
    const at = wakeAt(this.#state, this.#rules);
    if (at === this.#armedFor) return;
    this.#cancelTimer?.();
    this.#armedFor = at;
    this.#cancelTimer =
      at === undefined ? undefined : this.#context.clock.setTimer(at, () => this.#onTimer());
  }

  #onTimer(): void {
    this.#armedFor = undefined; // a timer may fire a little early: then it is set anew
    this.dispatch({ type: 'wake' });
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#owner.ended();
  }
}

/** The states in which this contender waits for a token that may not exist. */
function isInLine(at: ContenderState['at']): boolean {
  return at === 'idle' || at === 'opening' || at === 'waiting';
}
