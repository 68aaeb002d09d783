import { BrokerConsumer, type ConsumerHost } from '../../../../src/broker/memory-consumer.ts';
import { MemoryQueue } from '../../../../src/broker/memory-queue.ts';
import type { AlsoListener } from '../../../../src/broker/port.ts';
import { nextBase } from '../../../../src/protocol/fence.ts';
import type { Instant } from '../../../../src/protocol/instant.ts';
import { encodeEntry } from '../../../../src/protocol/register/entry.ts';
import {
  STATEFUL_IDLE,
  type StatefulEffect,
  type StatefulEvent,
  type StatefulState,
  statefulStep,
  statefulWakeAt,
} from '../../../../src/protocol/register/step.ts';
import { encodeToken } from '../../../../src/protocol/token.ts';
import { NOW, ON_4, RULES, V4_3 } from '../contender/fixtures.ts';

const STATEFUL = { ...RULES, carriesState: true };

/** A promise of the protocol was broken; the message says which. */
export class Violation extends Error {}

interface Write {
  readonly fence: bigint;
  readonly seq: number;
}

/** One lock with its register at a broker, and the processes that want it. Everything on the way can be held up. */
export class World {
  now: Instant = NOW;
  lock = this.#newQueue();
  readonly register = this.#newQueue();
  readonly parties: Party[] = [];
  /** Publishes that the broker has not read yet: they land in any order, late or never. */
  readonly parked: (() => void)[] = [];
  /** Every save whose caller was told that it is done. */
  readonly confirmed: Write[] = [];
  readonly grants: { readonly fence: bigint; readonly handed: Write | undefined }[] = [];
  #ids = 0;

  constructor() {
    this.seed(0n);
  }

  join(): Party {
    const party = new Party(this);
    this.parties.push(party);
    return party;
  }

  seed(highestSeen: bigint): void {
    const token = { id: this.id(), name: RULES.name, base: nextBase(this.now.wall, highestSeen) };
    this.put(this.lock, encodeToken({ ...token, stride: 1, by: 'x', at: this.now.wall }));
  }

  put(queue: MemoryQueue, body: Uint8Array): void {
    queue.publish({ body, returns: 0, expiresAtMono: Number.POSITIVE_INFINITY });
  }

  id(): string {
    this.#ids += 1;
    return `0190a1b2-0000-7000-8000-${String(this.#ids).padStart(12, '0')}`;
  }

  pass(ms: number): void {
    this.now = { mono: this.now.mono + ms, wall: this.now.wall + ms };
    for (const party of this.parties) party.feed({ type: 'wake' });
  }

  removeLock(): void {
    this.lock.end();
    this.lock = this.#newQueue();
  }

  granted(fence: bigint, handed: Write | undefined): void {
    this.grants.push({ fence, handed });
    this.#checkUndone();
  }

  saved(write: Write): void {
    this.confirmed.push(write);
    this.#checkUndone();
  }

  /** Every grant with a higher fence was handed what was confirmed, or something higher, whichever of them came first. */
  #checkUndone(): void {
    for (const { fence, handed } of this.grants) {
      for (const save of this.confirmed) {
        if (save.fence < fence && (handed === undefined || isBelow(handed, save))) {
          throw new Violation(`${show(save)} was confirmed, and ${fence} was handed ${show(handed)}`);
        }
      }
    }
  }

  /** A while in which nothing is late. */
  flow(): void {
    for (let round = 0; round < 3; round += 1) {
      for (const land of this.parked.splice(0)) land();
      for (const party of this.parties) party.flow();
    }
  }

  /** No more faults: everything arrives, holders release, and everybody who waits is served. */
  settle(): void {
    for (let round = 0; round < 400; round += 1) {
      this.flow();
      for (const party of this.parties) if (party.holds) party.feed({ type: 'release' });
      this.pass(100);
    }
    const stuck = this.parties.filter((party) => !party.isOver);
    if (stuck.length > 0) {
      throw new Violation(
        `${stuck.length} were never served: ${stuck.map((party) => party.where).join(', ')}`,
      );
    }
  }

  #newQueue(): MemoryQueue {
    return new MemoryQueue(() => this.now.mono, 2, Number.POSITIVE_INFINITY);
  }
}

/** One process with one contender. What it sends and what it is sent wait in line until they are let through. */
export class Party implements ConsumerHost {
  readonly toBroker: (() => void)[] = [];
  readonly toClient: (() => void)[] = [];
  state: StatefulState = STATEFUL_IDLE;
  /** What it has written, by ticket: (fence, seq). */
  readonly #writes = new Map<number, Write>();
  readonly #world: World;
  /** By line; that of the token first, then that of the register. */
  readonly #consumers = new Map<number, BrokerConsumer[]>();
  #highestSeen = 0n;
  #fence: bigint | undefined;
  #lastTag = 0;
  #tickets = 0;

  constructor(world: World) {
    this.#world = world;
    this.feed({ type: 'start', known: true });
  }

  get holds(): boolean {
    const { at } = this.state.contender;
    return this.#fence !== undefined && (at === 'held' || at === 'verifying');
  }

  get isOver(): boolean {
    const { at } = this.state.contender;
    return at === 'released' || at === 'lost';
  }

  get where(): string {
    return `${this.state.contender.at}/${this.state.register?.at}`;
  }

  get wakeAt(): number | undefined {
    return statefulWakeAt(this.state, STATEFUL);
  }

  feed(event: StatefulEvent): void {
    const { now } = this.#world;
    const around = {
      now,
      highestSeen: this.#highestSeen,
      ranLately: true,
      justReleased: false,
      ...ON_4,
    };
    const [state, effects] = statefulStep(this.state, event, around, STATEFUL);
    this.state = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  save(): void {
    this.#tickets += 1;
    this.feed({ type: 'save', state: this.#tickets, ticket: this.#tickets });
  }

  /** Everything that is under way, and what follows from it. */
  flow(): void {
    for (let turns = 0; turns < 1_000 && this.toBroker.length + this.toClient.length > 0; turns += 1) {
      this.toBroker.shift()?.();
      this.toClient.shift()?.();
    }
  }

  /** The process dies. Its two queues hear of that one after the other. */
  crash(): void {
    this.toBroker.length = 0;
    this.toClient.length = 0;
    const consumers = [...this.#consumers.values()].flat();
    this.#consumers.clear();
    this.state = { contender: { at: 'released', turn: 0 }, register: undefined };
    for (const consumer of consumers)
      this.#world.parked.push(() => consumer.queue.detach(new Set([consumer])));
  }

  nextTag(): number {
    this.#lastTag += 1;
    return this.#lastTag;
  }

  tell(what: () => void): void {
    this.toClient.push(what);
  }

  fail(reason: string): void {
    throw new Violation(`a channel error: ${reason}`);
  }

  #attach(line: number, queue: MemoryQueue, prefetch: number, client: AlsoListener): void {
    const consumer = new BrokerConsumer(this, client, queue, { consumerTag: 'x', prefetch });
    this.#consumers.set(line, [...(this.#consumers.get(line) ?? []), consumer]);
    consumer.attach();
  }

  #carryOut(effect: StatefulEffect): void {
    const world = this.#world;
    switch (effect.do) {
      case 'consume': {
        const { line } = effect;
        this.toBroker.push(() => {
          this.tell(() => this.feed({ type: 'consuming', line, traits: V4_3 }));
          this.#attach(line, world.lock, 1, {
            delivered: (delivery) => this.feed({ type: 'delivered', line, delivery }),
            cancelled: () => this.feed({ type: 'cancelled', line }),
          });
        });
        break;
      }
      case 'register-declare': {
        const { ready, consumers } = world.register.depth();
        this.tell(() =>
          this.feed({ type: 'register-declared', line: effect.line, empty: ready + consumers === 0 }),
        );
        break;
      }
      case 'register-consume': {
        const { line } = effect;
        this.toBroker.push(() =>
          this.#attach(line, world.register, 4, {
            delivered: (delivery) => this.feed({ type: 'register-delivered', line, delivery }),
            cancelled: () => this.feed({ type: 'register-cancelled', line }),
          }),
        );
        break;
      }
      case 'register-write': {
        const { fence, seq, state } = effect;
        if (state !== undefined) this.#writes.set(Number(state), { fence, seq });
        const entry = { id: world.id(), fence, seq, state };
        const body = encodeEntry(entry, { name: RULES.name, by: 'x', at: 0 });
        world.parked.push(() => world.put(world.register, body));
        break;
      }
      case 'requeue':
      case 'ack': {
        const { line, deliveryTag } = effect;
        const how = effect.do;
        this.toBroker.push(() => this.#consumers.get(line)?.some((each) => each.settle(deliveryTag, how)));
        break;
      }
      case 'close': {
        const { line } = effect;
        // Its queues hear of it one after the other.
        const detach = (index: number) => () => {
          const consumer = this.#consumers.get(line)?.[index];
          consumer?.queue.detach(new Set([consumer]));
        };
        this.toBroker.push(detach(0), detach(1), () => {
          this.#consumers.delete(line);
          this.tell(() => this.feed({ type: 'closed', line, scope: 'channel' }));
        });
        break;
      }
      case 'look':
        this.tell(() => this.feed({ type: 'looked', call: effect.call, depth: world.lock.depth() }));
        break;
      case 'declare':
        this.tell(() => this.feed({ type: 'declared', call: effect.call, depth: world.lock.depth() }));
        break;
      case 'seed':
        world.seed(this.#highestSeen);
        this.tell(() => this.feed({ type: 'seeded', call: effect.call }));
        break;
      case 'remove':
        world.removeLock();
        this.tell(() => this.feed({ type: 'removed', call: effect.call }));
        break;
      case 'saw':
        if (effect.fence > this.#highestSeen) this.#highestSeen = effect.fence;
        break;
      case 'grant': {
        this.#fence = effect.fence;
        const register = this.state.register;
        if (register?.at !== 'kept') throw new Violation('a grant without a register');
        const { fence, seq, state } = register.kept.entry;
        world.granted(effect.fence, state === undefined ? undefined : { fence, seq });
        break;
      }
      case 'saved': {
        const write = this.#writes.get(effect.ticket);
        if (write === undefined) throw new Violation('a save that nobody wrote is confirmed');
        world.saved(write);
      }
    }
  }
}

const show = (write: Write | undefined) =>
  write === undefined ? 'nothing' : `(${write.fence}, ${write.seq})`;

function isBelow(one: Write, other: Write): boolean {
  return one.fence === other.fence ? one.seq < other.seq : one.fence < other.fence;
}
