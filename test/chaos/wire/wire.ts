/**
 * The lines between the worker processes and the brokers: one proxy per worker and broker node, in this process. It
 * reads along, so that at every instant the phase of each contender is known, and can hold a frame back at the very
 * moment in which a phase begins or ends.
 */
import { type FaultProxy, openProxy } from '../../support/proxy.ts';
import type { Direction, ProxyLink } from '../../support/proxy-link.ts';
import type { Phase } from '../history.ts';
import { Conversation, type Turn } from './conversation.ts';
import { Minting } from './minting.ts';

/** Where one contender stands. A process that contends for nothing and mints nothing is idle. */
export interface Stand {
  readonly slot: number;
  readonly lock?: string;
  readonly phase: Phase;
  /** The connection that the contender is on; a minting goes over several. */
  readonly link?: ProxyLink;
}

/** A contender whose connection stands still, caught in a phase. */
export interface Caught extends Stand {
  readonly lock: string;
  readonly link: ProxyLink;
  /** What was held goes on, but for the directions that are now held by somebody else. Idempotent. */
  letGo(except?: readonly Direction[]): void;
}

export interface CatchRequest {
  readonly phase: Phase;
  readonly moment: Turn['moment'];
  readonly accepts: (turn: Turn & { readonly slot: number }) => boolean;
  readonly signal: AbortSignal;
}

export interface WireOptions {
  /** One URL per broker node. */
  readonly nodes: readonly string[];
  readonly slots: number;
  readonly lockOf: (queue: string) => string | undefined;
  readonly verifies: boolean;
}

const DIRECTIONS: readonly Direction[] = ['to-server', 'to-client'];

interface Slot {
  /** In the order of the nodes. */
  readonly proxies: FaultProxy[];
  readonly minting: Minting;
  readonly conversations: Map<ProxyLink, { readonly node: number; readonly conversation: Conversation }>;
}

interface Trap extends CatchRequest {
  readonly spring: (caught: Caught) => void;
}

export class Wire {
  readonly #slots: Slot[] = [];
  readonly #traps = new Set<Trap>();
  readonly #options: WireOptions;

  private constructor(options: WireOptions) {
    this.#options = options;
  }

  static async open(options: WireOptions): Promise<Wire> {
    const wire = new Wire(options);
    const { nodes, slots } = options;
    for (let slot = 0; slot < slots; slot += 1) {
      const state: Slot = { proxies: [], minting: new Minting(), conversations: new Map() };
      wire.#slots.push(state);
      for (const [node, url] of nodes.entries()) {
        state.proxies.push(
          await openProxy(url, {
            keepHistory: false,
            watch: (link, direction, frame, payload) => {
              const { conversation } = state.conversations.get(link) ?? wire.#begin(slot, node, link);
              conversation.read(direction, frame, payload);
            },
            onClose: (link) => state.conversations.delete(link),
          }),
        );
      }
    }
    return wire;
  }

  /** For a worker: its home node first, which differs from worker to worker, so that the fleet is spread. */
  urlsFor(slot: number): string[] {
    const urls = this.#slot(slot).proxies.map(({ url }) => url);
    const home = slot % urls.length;
    return [...urls.slice(home), ...urls.slice(0, home)];
  }

  proxiesOf(slot: number): readonly FaultProxy[] {
    return this.#slot(slot).proxies;
  }

  get slots(): number {
    return this.#slots.length;
  }

  /** The connections of a worker that are open now. */
  linksOf(slot: number): ProxyLink[] {
    return [...this.#slot(slot).conversations.keys()];
  }

  /** The nodes that a worker is connected to at the moment. */
  nodesOf(slot: number): Set<number> {
    return new Set([...this.#slot(slot).conversations.values()].map(({ node }) => node));
  }

  stands(): Stand[] {
    return this.#slots.flatMap(({ minting, conversations }, slot): Stand[] => {
      const contending = [...conversations].flatMap(([link, { conversation }]) =>
        conversation.contenders.map(({ lock, phase }) => ({ slot, lock, phase, link })),
      );
      const minted = minting.locks.map((lock) => ({ slot, lock, phase: 'minting' as const }));
      return contending.length + minted.length === 0 ? [{ slot, phase: 'idle' }] : [...contending, ...minted];
    });
  }

  /**
   * Waits until a contender is in the phase, and holds its connection still from that frame on. Anybody who is holding or
   * waiting already is taken at once. Undefined when the signal came first.
   */
  catch(request: CatchRequest): Promise<Caught | undefined> {
    const standing = this.#alreadyThere(request);
    if (standing !== undefined) return Promise.resolve(standing);
    return new Promise((resolve) => {
      const settle = (caught: Caught | undefined): void => {
        this.#traps.delete(trap);
        request.signal.removeEventListener('abort', giveUp);
        resolve(caught);
      };
      const giveUp = (): void => settle(undefined);
      const trap = { ...request, spring: settle };
      this.#traps.add(trap);
      request.signal.addEventListener('abort', giveUp);
      if (request.signal.aborted) giveUp();
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#slots.flatMap(({ proxies }) => proxies).map((proxy) => proxy.close()));
  }

  #slot(slot: number): Slot {
    const state = this.#slots[slot];
    if (state === undefined) throw new RangeError(`there is no worker ${slot}`);
    return state;
  }

  #begin(slot: number, node: number, link: ProxyLink) {
    const { minting, conversations } = this.#slot(slot);
    const onTurn = (turn: Turn): void => this.#turn(slot, turn);
    const { lockOf, verifies } = this.#options;
    const entry = { node, conversation: new Conversation({ link, lockOf, verifies, minting, onTurn }) };
    conversations.set(link, entry);
    return entry;
  }

  #turn(slot: number, turn: Turn): void {
    const { lock, phase, moment, link } = turn;
    for (const trap of this.#traps) {
      if (trap.phase !== phase || trap.moment !== moment || !trap.accepts({ ...turn, slot })) continue;
      trap.spring(hold({ slot, lock, phase, link }));
      return;
    }
  }

  #alreadyThere({ phase, accepts }: CatchRequest): Caught | undefined {
    if (phase !== 'holding' && phase !== 'waiting') return undefined;
    for (const [slot, { conversations }] of this.#slots.entries()) {
      for (const [link, { conversation }] of conversations) {
        for (const { lock, phase: now } of conversation.contenders) {
          if (now !== phase || !accepts({ slot, lock, phase, moment: 'begins', link })) continue;
          return hold({ slot, lock, phase, link });
        }
      }
    }
    return undefined;
  }
}

function hold(stand: Omit<Caught, 'letGo'>): Caught {
  stand.link.freeze();
  let held = true;
  const letGo = (except: readonly Direction[] = []): void => {
    if (held) stand.link.thaw(DIRECTIONS.filter((direction) => !except.includes(direction)));
    held = false;
  };
  return { ...stand, letGo };
}
