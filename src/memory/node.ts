import type { Clock } from '../clock.ts';
import { type BatonError, QueueMismatchError } from '../errors.ts';
import type { BrokerTraits, QueueDepth } from '../protocol/port.ts';
import { isBelow43 } from '../protocol/versions.ts';
import { absentQueue, type ChannelHost } from './broker-channel.ts';
import type { Connection, ServedChannel } from './connection.ts';
import { MemoryQueue } from './queue.ts';

/** How the node answers a request that may take a while. */
export interface Reply<T> {
  resolve(value: T): void;
  reject(error: BatonError): void;
}

interface ParkedPublish {
  readonly connection: Connection;
  readonly land: () => void;
}

/** The inside of the broker: what every connection shares. Synchronous; all waiting is done by the lines. */
export class MemoryNode implements ChannelHost {
  readonly clock: Clock;
  readonly traits: BrokerTraits;
  readonly connections = new Set<Connection>();
  readonly #queues = new Map<string, MemoryQueue>();
  readonly #foreign = new Set<string>();
  #parked: ParkedPublish[] = [];
  #alarm = false;

  constructor(clock: Clock, version: readonly [number, number, number]) {
    this.clock = clock;
    this.traits = { version };
  }

  /** An idle queue expires when somebody looks for it. RabbitMQ does it within 5 s, but nobody sees the difference. */
  find(name: string): MemoryQueue | undefined {
    if (this.#queues.get(name)?.expired) this.remove(name);
    return this.#queues.get(name);
  }

  look(name: string): QueueDepth | 'absent' {
    return this.find(name)?.depth() ?? 'absent';
  }

  declare(name: string, idleExpiryMs: number | undefined, reply: Reply<QueueDepth>): void {
    const queue = this.#create(name, idleExpiryMs);
    if (this.#foreign.has(name)) {
      const remedy = 'delete it or use another name';
      reply.reject(new QueueMismatchError(`queue ${name} exists with other arguments: ${remedy}`));
    } else if (queue.idleExpiryMs !== (idleExpiryMs ?? Number.POSITIVE_INFINITY)) {
      const remedy = 'give every client the same value, or delete it';
      reply.reject(new QueueMismatchError(`queue ${name} was made with another idleExpiryMs: ${remedy}`));
    } else {
      reply.resolve(queue.depth());
    }
  }

  declareForeign(name: string): void {
    this.#create(name);
    this.#foreign.add(name);
  }

  remove(name: string): boolean {
    const queue = this.#queues.get(name);
    this.#queues.delete(name);
    this.#foreign.delete(name);
    queue?.end();
    return queue !== undefined;
  }

  /** Under an alarm a publish stalls until it ends, and only a connection that publishes is told `blocked` (seen). */
  publish(connection: Connection, name: string, body: Uint8Array, expirationMs: number, reply: Reply<void>) {
    const land = () => {
      if (this.deposit(name, body, { expirationMs })) reply.resolve();
      else reply.reject(absentQueue(name));
    };
    if (!this.#alarm) return land();
    if (!this.#parked.some((parked) => parked.connection === connection)) {
      connection.down.send(() => connection.events.blocked(true));
    }
    this.#parked.push({ connection, land });
  }

  /** False when there is no such queue: a mandatory publish comes back. */
  deposit(name: string, body: Uint8Array, options: { expirationMs: number; returns?: number }): boolean {
    const queue = this.find(name);
    const expiresAtMono = this.clock.now().mono + options.expirationMs;
    queue?.publish({ body: new Uint8Array(body), ...this.#history(options.returns ?? 0), expiresAtMono });
    return queue !== undefined;
  }

  alarm(on: boolean): void {
    this.#alarm = on;
    if (on) return;
    const parked = this.#parked;
    this.#parked = [];
    for (const connection of new Set(parked.map((publish) => publish.connection))) {
      connection.down.send(() => connection.events.blocked(false));
    }
    for (const { land } of parked) land();
  }

  /**
   * The node gives these connections up and reads nothing more from them, all in one step: what they held is returned before anybody is served,
   * so a message never hops to another channel that is about to die as well.
   */
  hangUp(connections: Iterable<Connection>): void {
    const leaving = new Set<ServedChannel>();
    for (const connection of connections) {
      connection.up.cut();
      this.connections.delete(connection);
      this.#parked = this.#parked.filter((publish) => publish.connection !== connection);
      for (const channel of connection.served) leaving.add(channel);
      connection.served.clear();
    }
    for (const channel of leaving) channel.abandon();
    const consumers = new Set([...leaving].flatMap((channel) => channel.consumers));
    for (const queue of this.#queues.values()) queue.detach(consumers);
  }

  #create(name: string, idleExpiryMs = Number.POSITIVE_INFINITY): MemoryQueue {
    const known = this.find(name);
    if (known !== undefined) return known;
    const queue = new MemoryQueue(() => this.clock.now().mono, this.#countsApart, idleExpiryMs);
    this.#queues.set(name, queue);
    return queue;
  }

  get #countsApart(): boolean {
    return !isBelow43(this.traits.version);
  }

  /** So many returns, as far as possible by the ends of channels. */
  #history(returns: number): { acquired: number; failed: number } {
    const acquired = this.#countsApart ? Math.ceil(returns / 2) : 0;
    return { acquired, failed: returns - acquired };
  }
}
