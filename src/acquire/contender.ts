import { v7 as uuid } from 'uuid';
import { publish } from '../callbacks.ts';
import { startOverChannel, waitingChannel } from '../diagnostics.ts';
import { type ClientEffect, type ClientEvent, isShared, REGISTER_PREFETCH } from '../protocol/client-step.ts';
import { isBehindHolder, vouchedMs } from '../protocol/contender/step.ts';
import type { ContenderState, Rules } from '../protocol/contender/types.ts';
import type { ConsumerChannel, ConsumerListener, QueueDepth } from '../protocol/port.ts';
import { consumerTag, contenderId } from '../protocol/queues.ts';
import { isWithheld, STATEFUL_IDLE, type StatefulState, whyStartOver } from '../protocol/register/step.ts';
import type { Context } from './context.ts';
import type { ContenderReport } from './hold.ts';
import { asBatonError, type LockRecord } from './lock-records.ts';
import { Throws } from './throws.ts';
import { WakeTimer } from './wake-timer.ts';

interface Question {
  readonly do: 'look' | 'declare' | 'seed' | 'probe';
  readonly call: number;
}

interface ContenderParts {
  readonly context: Context;
  readonly rules: Rules;
  readonly record: LockRecord;
  /** The lock as its caller names it; with slots its token has another name. */
  readonly lock: string;
  readonly tell: (report: ContenderReport) => void;
}

/** Runs the protocol of one contender against a broker: feeds it events, carries out its effects, keeps its timer. */
export class Contender {
  readonly #context: Context;
  readonly #rules: Rules;
  readonly #record: LockRecord;
  readonly #lock: string;
  readonly #tell: (report: ContenderReport) => void;
  readonly #channels = new Map<number, ConsumerChannel>();
  readonly #queued: ClientEvent[] = [];
  readonly #timer: WakeTimer;
  readonly #throws = new Throws();
  #state: StatefulState = STATEFUL_IDLE;
  #dispatching = false;
  #ended = false;
  #tag = '';

  constructor({ context, rules, record, lock, tell }: ContenderParts) {
    this.#context = context;
    this.#rules = rules;
    this.#record = record;
    this.#lock = lock;
    this.#tell = tell;
    this.#timer = new WakeTimer(context, rules, (event) => this.dispatch(event));
  }

  /** `reading`: it has the token, and the register is being read before the grant. */
  get at(): ContenderState['at'] | 'reading' {
    return isWithheld(this.#state) ? 'reading' : this.#state.contender.at;
  }

  /** Whether it is known that somebody else has the lock. A contender that cannot read the register yet waits for a stale holder. */
  get isBehindHolder(): boolean {
    return isWithheld(this.#state) || isBehindHolder(this.#state.contender);
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
    return vouchedMs(this.#state.contender, this.#rules, this.#context.clock.now());
  }

  start(): void {
    this.dispatch({ type: 'start' });
  }

  /** Feeds one event. From inside an effect it is queued, so that effects are carried out in order. */
  dispatch(event: ClientEvent): void {
    this.#queued.push(event);
    if (this.#dispatching) return;
    this.#dispatching = true;
    try {
      for (let next = this.#queued.shift(); next !== undefined; next = this.#queued.shift()) this.#step(next);
    } finally {
      this.#dispatching = false;
    }
    this.#timer.set(this.#state);
  }

  #step(event: ClientEvent): void {
    const earlier = this.#state;
    const process = {
      ranLately: this.#context.ranLately(),
      brokerMajor: this.#context.session.traits.version[0],
    };
    const { attempt, effects } = this.#record.step(earlier, event, process, this.#rules);
    this.#state = attempt;
    const state = attempt.contender;
    if (state.at === 'waiting' && earlier.contender.at === 'opening') {
      publish(waitingChannel, { lock: this.#lock, service: this.#context.identity.service });
    }
    for (const effect of effects) this.#carryOut(effect, earlier);
    if (state.at === 'lost') this.#end();
  }

  #carryOut(effect: ClientEffect, earlier: StatefulState): void {
    switch (effect.do) {
      case 'look':
      case 'declare':
      case 'seed':
      case 'probe':
        this.#call(effect.call, this.#ask({ ...effect, do: effect.do }));
        break;
      case 'purge':
        this.#call(effect.call, this.#startOver(effect.call, whyStartOver(earlier, this.#state)));
        break;
      case 'consume':
        this.#consume(effect.channelId);
        break;
      case 'barrier':
        void this.#barrier(effect.channelId);
        break;
      case 'requeue':
        this.#channels.get(effect.channelId)?.requeue(effect.deliveryTag);
        break;
      case 'reject':
        this.#channels.get(effect.channelId)?.reject(effect.deliveryTag);
        break;
      case 'ack':
        this.#channels.get(effect.channelId)?.ack(effect.deliveryTag);
        break;
      case 'close':
        this.#channels.get(effect.channelId)?.close();
        break;
      case 'grant':
        this.#tell({ type: 'granted', fence: effect.fence, handed: effect.handed });
        break;
      case 'refuse':
        this.#tell({ type: 'refused', refusal: effect.refusal });
        break;
      case 'proven':
        this.#tell({ type: 'proven', sentAt: effect.sentAt });
        break;
      case 'lost':
        this.#tell({ type: 'lost', reason: effect.reason, cause: effect.cause });
        break;
      case 'saved':
        this.#tell({ type: 'saved', ticket: effect.ticket });
        break;
      case 'save-failed':
        this.#tell({ type: 'save-failed', ticket: effect.ticket, error: effect.error });
        break;
      case 'end':
        this.#end();
        break;
      default:
        this.#onRegister(effect);
    }
  }

  #call(call: number, answer: Promise<ClientEvent>): void {
    answer.then(
      (event) => this.dispatch(event),
      (error: unknown) => this.dispatch({ type: 'call-failed', call, error: asBatonError(error) }),
    );
  }

  async #ask({ do: what, call }: Question): Promise<ClientEvent> {
    switch (what) {
      case 'look':
        return { type: 'looked', call, depth: await this.#look(isShared(what, this.#state)) };
      case 'declare':
        return { type: 'declared', call, depth: await this.#record.shared('declare') };
      case 'seed':
        await this.#record.shared('seed');
        return { type: 'seeded', call };
      case 'probe':
        await this.#record.shared('probe');
        return { type: 'probed', call };
    }
  }

  async #startOver(call: number, reason: ReturnType<typeof whyStartOver>): Promise<ClientEvent> {
    await this.#record.purge();
    if (reason !== undefined) {
      publish(startOverChannel, { lock: this.#rules.name, service: this.#context.identity.service, reason });
    }
    return { type: 'purged', call };
  }

  #onRegister(effect: Extract<ClientEffect, { do: `register-${string}` }>): void {
    const record = this.#record;
    switch (effect.do) {
      case 'register-declare': {
        const { channelId } = effect;
        record.declareRegister().then(
          ({ empty }) => this.dispatch({ type: 'register-declared', channelId, empty }),
          (error: unknown) =>
            this.dispatch({ type: 'register-not-declared', channelId, error: asBatonError(error) }),
        );
        break;
      }
      case 'register-consume': {
        const { channelId } = effect;
        this.#channels.get(channelId)?.consumeAlso(record.register, this.#newTag(), REGISTER_PREFETCH, {
          delivered: (delivery) =>
            this.#throws.note(() => this.dispatch({ type: 'register-delivered', channelId, delivery })),
          cancelled: () => this.dispatch({ type: 'register-cancelled', channelId }),
        });
        break;
      }
      case 'register-write': {
        const { channelId, fence, seq, state } = effect;
        record.writeRegister({ fence, seq, state }).catch((error: unknown) => {
          this.dispatch({ type: 'register-not-written', channelId, seq, error: asBatonError(error) });
        });
      }
    }
  }

  async #barrier(channelId: number): Promise<void> {
    const depth = await this.#channels.get(channelId)?.barrier();
    if (depth !== undefined) this.dispatch({ type: 'barrier', channelId });
  }

  #consume(channelId: number): void {
    this.#tag = this.#newTag();
    const listener: ConsumerListener = {
      consuming: (traits) => {
        this.#record.obstacle = undefined;
        this.dispatch({ type: 'consuming', channelId, traits });
      },
      delivered: (delivery) =>
        this.#throws.note(() => this.dispatch({ type: 'delivered', channelId, delivery })),
      cancelled: () => this.dispatch({ type: 'cancelled', channelId }),
      closed: (end) => {
        this.#channels.delete(channelId);
        this.dispatch({ type: 'closed', channelId, ...end, ...this.#throws.take(this.queue) });
      },
    };
    this.#channels.set(channelId, this.#context.session.consume(this.#record.queue, this.#tag, listener));
  }

  #newTag(): string {
    const { identity, clock } = this.#context;
    return consumerTag(identity, contenderId(clock.now().wall, uuid()), this.#lock);
  }

  #look(shared: boolean): Promise<QueueDepth | 'absent'> {
    return shared ? this.#record.shared('look') : this.#record.look();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#tell({ type: 'ended' });
  }
}
