import type { Socket } from 'node:net';
import { ClosedError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { BrokerTraits, ConsumerChannel, ConsumerListener } from '../protocol/port.ts';
import type { ChannelBudget } from './channel-budget.ts';
import { SpareChannels } from './channel-pool.ts';
import { FAREWELL_MS } from './connection.ts';
import { ContenderChannel } from './contender-channel.ts';
import type { CheckedConnection } from './dialer.ts';
import type { ReconnectingConnection, ReconnectingEvents } from './reconnecting-connection.ts';

/** One lock connection and, while it is up, its spare channels. */
interface Member {
  readonly connection: ReconnectingConnection;
  spares: SpareChannels | undefined;
  traits: BrokerTraits | undefined;
}

/** What the group answers itself; the rest of a connection's events are the session's. */
type GroupEvents = Pick<ReconnectingEvents, 'up' | 'lost' | 'released'>;

/** Lock connections with one queue of contenders that wait for a channel. Another one is opened when all their channels are in use. */
class ConnectionGroup {
  readonly #makeConnection: (events: GroupEvents) => ReconnectingConnection;
  readonly #budget: ChannelBudget;
  readonly #members: Member[] = [];
  /** Contenders that have no channel yet, in order. */
  readonly #waiting = new Set<ContenderChannel>();
  readonly #all = new Set<ContenderChannel>();
  #closing = false;

  /** Without a first connection, it dials one. */
  constructor(
    makeConnection: (events: GroupEvents) => ReconnectingConnection,
    budget: ChannelBudget,
    first?: CheckedConnection,
  ) {
    this.#makeConnection = makeConnection;
    this.#budget = budget;
    const { connection } = this.#addMember();
    if (first === undefined) connection.start();
    else connection.adopt(first);
  }

  get members(): readonly ReconnectingConnection[] {
    return this.#members.map((member) => member.connection);
  }

  /** Contenders that wait for a channel or have one. */
  get size(): number {
    return this.#all.size;
  }

  /** Whether one of them comes for this queue. */
  serve(queue: string): boolean {
    return [...this.#all].some((consumer) => consumer.queue === queue);
  }

  add(consumer: ContenderChannel): void {
    this.#all.add(consumer);
    this.#waiting.add(consumer);
    this.attach();
    if (this.#waiting.has(consumer)) for (const member of this.#members) member.spares?.missed();
  }

  remove(consumer: ContenderChannel): void {
    this.#waiting.delete(consumer);
    this.#all.delete(consumer);
  }

  /** Every consumer falls silent now and is told of its end when the connections are gone. */
  async close(timeoutMs: number): Promise<void> {
    this.#closing = true;
    for (const consumer of this.#all) consumer.mute();
    await Promise.all(this.members.map((connection) => connection.close(timeoutMs)));
    for (const consumer of [...this.#all]) consumer.end({ scope: 'connection' });
  }

  #addMember(): Member {
    const member: Member = {
      connection: this.#makeConnection({
        up: (connection, traits) => {
          member.spares = new SpareChannels(connection, this.#budget, () => this.attach());
          member.traits = traits;
          this.attach();
        },
        lost: () => {
          member.spares = undefined;
          this.attach();
        },
        released: () => this.attach(),
      }),
      spares: undefined,
      traits: undefined,
    };
    this.#members.push(member);
    return member;
  }

  /** Gives channels to those who wait, as far as there are any. */
  attach(): void {
    if (this.#closing) return;
    for (const { spares, traits } of this.#members) {
      if (spares === undefined || traits === undefined) continue;
      for (const consumer of this.#waiting) {
        const channel = spares.take();
        if (channel === undefined) break;
        this.#waiting.delete(consumer);
        consumer.attach(channel, traits);
      }
    }
    const need = { isAtStake: this.#all.size > this.#waiting.size };
    let unserved = this.#waiting.size;
    for (const { spares } of this.#members) unserved -= spares?.fill(unserved, need) ?? 0;
    if (need.isAtStake) this.#budget.lookAhead();
    if (unserved === 0) this.#budget.suffice();
    else if (this.#budget.room(need) <= 0) this.#budget.miss(unserved);
    // While a connection is being made, it may be the one that has room.
    else if (this.#members.every(({ spares }) => spares?.hasNumber === false))
      this.#addMember().connection.start();
  }
}

/** With more locks in quarantine than that, some share a connection. */
const MOST_QUARANTINES = 4;
/** A quarantine stays for so long without contenders, so that it remembers how patient to be. */
const IDLE_MS = 10_000;

type MakeConnection = (events: GroupEvents) => ReconnectingConnection;

/**
 * The lock connections: consumers only, so that the broker never blocks them and never stops watching their
 * heartbeat (seen under alarms).
 *
 * A consume can end its connection, and every lease on it: the broker answers 541 when the queue does not run (being
 * deleted, lost with its node, without its majority; seen on 3.10.8 to 4.3.6). 3.10.8 does not say which queue it is. So
 * each lock whose consume was not answered when a connection ended that way goes into quarantine: it is tried on a
 * connection of its own until it is answered there.
 */
export class LockConnections {
  readonly #logger: Logger;
  readonly #makeConnection: MakeConnection;
  readonly #budget: ChannelBudget;
  readonly #common: ConnectionGroup;
  #quarantines: ConnectionGroup[] = [];
  /** By lock queue: the queue whose consume must be answered, the lock's own or that of its state. */
  readonly #quarantined = new Map<string, string>();
  #closing = false;

  constructor(
    first: CheckedConnection,
    logger: Logger,
    budget: ChannelBudget,
    makeConnection: MakeConnection,
  ) {
    this.#logger = logger;
    this.#makeConnection = makeConnection;
    this.#budget = budget;
    this.#common = new ConnectionGroup(makeConnection, budget, first);
  }

  /** Of the connections that healthy locks share: quarantines come and go, and say nothing about the session. */
  get shared(): readonly ReconnectingConnection[] {
    return this.#common.members;
  }

  /** Gives channels to those who wait: there may be more of them. */
  attach(): void {
    for (const group of [this.#common, ...this.#quarantines]) group.attach();
  }

  get sockets(): readonly Socket[] {
    const connections = [this.#common, ...this.#quarantines].flatMap((group) => group.members);
    return connections.flatMap(({ open }) => (open === undefined ? [] : [open.dialled.socket]));
  }

  consume(queue: string, consumerTag: string, listener: ConsumerListener): ConsumerChannel {
    let group: ConnectionGroup | undefined;
    const consumer = new ContenderChannel(queue, consumerTag, listener, {
      done: (gone) => {
        group?.remove(gone);
        if (group?.size === 0 && group !== this.#common) this.#leaveSoon(group);
      },
      threw: (error) => this.#logger.error({ err: error, queue }, 'a listener of a contender threw'),
      unanswered: (culprit) => this.#quarantined.set(queue, culprit),
      answered: (culprit) => {
        if (this.#quarantined.get(queue) === culprit) this.#quarantined.delete(queue);
      },
    });
    if (this.#closing) {
      const error = new ClosedError('The session with the broker is closed');
      queueMicrotask(() => consumer.end({ scope: 'connection', error }));
      return consumer;
    }
    group = this.#quarantined.has(queue) ? this.#quarantineFor(queue) : this.#common;
    group.add(consumer);
    return consumer;
  }

  /** Every consumer falls silent now and is told of its end when the connections are gone. */
  async close(timeoutMs: number): Promise<void> {
    this.#closing = true;
    await Promise.all([this.#common, ...this.#quarantines].map((group) => group.close(timeoutMs)));
  }

  #quarantineFor(queue: string): ConnectionGroup {
    const same = this.#quarantines.find((group) => group.serve(queue));
    if (same !== undefined) return same;
    if (this.#quarantines.length < MOST_QUARANTINES) {
      const group = new ConnectionGroup(this.#makeConnection, this.#budget);
      this.#quarantines.push(group);
      return group;
    }
    return this.#quarantines.reduce((best, group) => (group.size < best.size ? group : best));
  }

  #leaveSoon(group: ConnectionGroup): void {
    const leave = () => {
      if (this.#closing || group.size > 0 || !this.#quarantines.includes(group)) return;
      this.#quarantines = this.#quarantines.filter((it) => it !== group);
      void group.close(FAREWELL_MS);
    };
    setTimeout(leave, IDLE_MS).unref();
  }
}
