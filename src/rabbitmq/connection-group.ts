import type { BrokerTraits } from '../protocol/port.ts';
import type { ChannelBudget } from './channel-budget.ts';
import type { ContenderChannel } from './contender-channel.ts';
import type { CheckedConnection } from './dialer.ts';
import type { ReconnectingConnection, ReconnectingEvents } from './reconnecting-connection.ts';
import { SpareChannels } from './spare-channels.ts';

/** One lock connection and, while it is up, its spare channels. */
interface Member {
  readonly connection: ReconnectingConnection;
  spares: SpareChannels | undefined;
  traits: BrokerTraits | undefined;
}

/** What the group answers itself; the rest of a connection's events are the session's. */
export type GroupEvents = Pick<ReconnectingEvents, 'up' | 'lost' | 'released'>;

/** Lock connections with one queue of contenders that wait for a channel. Another one is opened when all their channels are in use. */
export class ConnectionGroup {
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
