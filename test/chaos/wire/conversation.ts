import type { Frame } from '../../support/amqp-frames.ts';
import type { Direction, ProxyLink } from '../../support/proxy-link.ts';
import type { Phase } from '../history.ts';
import { isDeserted, isPassive, queueAsked, routingKey } from './methods.ts';
import type { Minting } from './minting.ts';

/** A frame that begins or ends a phase has reached the proxy, and has not been passed on. */
export interface Turn {
  readonly lock: string;
  readonly phase: Phase;
  readonly moment: 'begins' | 'ends';
  /** Which step of a minting it is. */
  readonly step?: MintingStep;
  readonly link: ProxyLink;
}

export type MintingStep = 'purge' | 'declare' | 'seed';

/** After this time a delivery has arrived, when no question of the holder shows it. */
const UNVERIFIED_MS = 2;

interface Contender {
  readonly lock: string;
  phase: Phase;
}

interface Channel {
  contender?: Contender;
  /** The question whose answer is awaited. */
  asked?: { readonly what: 'declare' | 'purge'; readonly lock: string };
  /** What the next body belongs to. */
  coming?: { readonly what: 'delivery' | 'publish'; readonly lock: string };
  confirms?: boolean;
  /** The seed that is not confirmed yet. */
  seed?: string;
}

export interface ConversationOptions {
  readonly link: ProxyLink;
  /** The lock of a queue, undefined for other queues. */
  readonly lockOf: (queue: string) => string | undefined;
  /** Whether a holder asks a first question as soon as it has the token. */
  readonly verifies: boolean;
  /** The mintings of the process, which uses several connections for one. */
  readonly minting: Minting;
  readonly onTurn: (turn: Turn) => void;
}

/**
 * One connection of a worker, read along. Each of its channels has at most one contender:
 *
 * ```text
 *  consume         deliver           nack            deliver
 * ─────────▶waiting──────▶receiving──────▶verifying◀────────▶holding
 *                             │              │       nack        │
 *                             └──────────────┴────close──────────┴──▶releasing──close-ok──▶ (gone)
 * ```
 */
export class Conversation {
  readonly #channels = new Map<number, Channel>();
  readonly #options: ConversationOptions;

  constructor(options: ConversationOptions) {
    this.#options = options;
  }

  get contenders(): Contender[] {
    return [...this.#channels.values()].flatMap(({ contender }) => contender ?? []);
  }

  read(direction: Direction, frame: Frame, payload: Buffer): void {
    if (frame.channel === 0) return;
    const channel = this.#channels.get(frame.channel) ?? {};
    this.#channels.set(frame.channel, channel);
    if (frame.type === 'body') this.#body(channel, payload);
    else if (frame.method !== undefined && direction === 'to-server')
      this.#asked(frame.channel, channel, frame.method, payload);
    else if (frame.method !== undefined) this.#answered(frame.channel, channel, frame.method, payload);
  }

  #asked(id: number, channel: Channel, method: string, payload: Buffer): void {
    const { contender } = channel;
    const lock = (queue: string): string | undefined => this.#options.lockOf(queue);
    switch (method) {
      case 'basic.consume': {
        const name = lock(queueAsked(payload));
        if (name !== undefined) channel.contender = { lock: name, phase: 'waiting' };
        break;
      }
      case 'basic.nack':
      case 'basic.reject':
        if (contender !== undefined) this.#begin(contender, 'verifying');
        break;
      case 'confirm.select':
        channel.confirms = true;
        break;
      case 'channel.close':
        if (contender === undefined || contender.phase === 'waiting') this.#channels.delete(id);
        else this.#begin(contender, 'releasing');
        break;
      case 'queue.purge':
      case 'queue.declare': {
        const name = lock(queueAsked(payload));
        if (name === undefined || (method === 'queue.declare' && isPassive(payload))) break;
        channel.asked = { what: method === 'queue.purge' ? 'purge' : 'declare', lock: name };
        this.#mint(name, channel.asked.what, 'begins');
        break;
      }
      case 'basic.publish': {
        const name = lock(routingKey(payload));
        if (name !== undefined) channel.coming = { what: 'publish', lock: name };
        break;
      }
    }
  }

  #answered(id: number, channel: Channel, method: string, payload: Buffer): void {
    const { contender, asked, seed } = channel;
    switch (method) {
      case 'basic.deliver':
        if (contender !== undefined) channel.coming = { what: 'delivery', lock: contender.lock };
        break;
      case 'basic.cancel':
        delete channel.contender;
        break;
      case 'channel.close':
      case 'channel.close-ok':
        if (contender?.phase === 'releasing') this.#turn(contender.lock, 'releasing', 'ends');
        this.#channels.delete(id);
        break;
      case 'queue.purge-ok':
      case 'queue.declare-ok':
        if (asked === undefined) break;
        delete channel.asked;
        this.#mint(asked.lock, asked.what, 'ends');
        if (asked.what === 'declare' && !isDeserted(payload)) this.#options.minting.over(asked.lock);
        break;
      case 'basic.ack':
        if (seed === undefined) break;
        delete channel.seed;
        this.#mint(seed, 'seed', 'ends');
        this.#options.minting.over(seed);
        break;
    }
  }

  #body(channel: Channel, payload: Buffer): void {
    const { coming, contender } = channel;
    delete channel.coming;
    if (coming === undefined || payload.includes('"kind":"probe"')) return;
    if (coming.what === 'publish') {
      // A build that releases by publishing the next token.
      if (contender !== undefined && contender.phase !== 'waiting') this.#begin(contender, 'releasing');
      else this.#seed(channel, coming.lock);
    } else if (contender?.phase === 'verifying') {
      this.#turn(contender.lock, 'verifying', 'ends');
      contender.phase = 'holding';
      // Once the answer has been passed on.
      setImmediate(() => contender.phase === 'holding' && this.#turn(contender.lock, 'holding', 'begins'));
    } else if (contender !== undefined) {
      this.#begin(contender, 'receiving');
      if (!this.#options.verifies) setTimeout(() => this.#believe(contender), UNVERIFIED_MS).unref();
    }
  }

  #seed(channel: Channel, lock: string): void {
    this.#mint(lock, 'seed', 'begins');
    if (channel.confirms) channel.seed = lock;
    else setImmediate(() => this.#options.minting.over(lock));
  }

  #believe(contender: Contender): void {
    if (contender.phase !== 'receiving') return;
    contender.phase = 'holding';
    this.#turn(contender.lock, 'holding', 'begins');
  }

  #begin(contender: Contender, phase: Phase): void {
    contender.phase = phase;
    this.#turn(contender.lock, phase, 'begins');
  }

  #mint(lock: string, step: MintingStep, moment: Turn['moment']): void {
    this.#options.minting.goesOn(lock);
    this.#turn(lock, 'minting', moment, step);
  }

  #turn(lock: string, phase: Phase, moment: Turn['moment'], step?: MintingStep): void {
    this.#options.onTurn({ lock, phase, moment, link: this.#options.link, ...(step && { step }) });
  }
}
