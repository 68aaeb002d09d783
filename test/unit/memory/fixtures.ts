import { MemoryBroker, type MemorySession } from '../../../src/memory/broker.ts';
import type { ConsumerListener, Delivery, SessionStateChange } from '../../../src/protocol/port.ts';
import { ManualClock } from '../../../src/testing/manual-clock.ts';

/** The queue that everything is about. */
export const Q = 'lock';

/** Every microtask that is due has run when an immediate runs. */
export const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
export const bytes = (text: string) => new TextEncoder().encode(text);
export const show = ({ body, returns }: Delivery) => `${new TextDecoder().decode(body)}+${returns}`;

/** Tells how many timers are set. */
class CountingClock extends ManualClock {
  readonly #pending = new Set<object>();

  get pending(): number {
    return this.#pending.size;
  }

  override setTimer(atMono: number, callback: () => void): () => void {
    const timer = {};
    this.#pending.add(timer);
    const cancel = super.setTimer(atMono, () => {
      this.#pending.delete(timer);
      callback();
    });
    return () => {
      this.#pending.delete(timer);
      cancel();
    };
  }
}

/** A broker at a time of its own, and what its consumers are told. */
export class Scene {
  readonly clock = new CountingClock();
  readonly broker: MemoryBroker;
  /** Everything that any consumer was told, in order. */
  readonly log: string[] = [];

  constructor(version?: readonly [number, number, number]) {
    this.broker = new MemoryBroker({ clock: this.clock, version });
  }

  /** The log consumer by consumer, because no order is promised between connections. */
  told(): string[] {
    return this.log.toSorted((one, other) => one.charCodeAt(0) - other.charCodeAt(0));
  }

  forget(): void {
    this.log.length = 0;
  }

  attach(session: MemorySession, name: string, queue = Q) {
    const deliveries: Delivery[] = [];
    const ends: Parameters<ConsumerListener['closed']>[0][] = [];
    const channel = session.consume(queue, name, {
      consuming: () => this.log.push(`${name} consuming`),
      delivered: (delivery) => {
        deliveries.push(delivery);
        this.log.push(`${name} got ${show(delivery)}`);
      },
      cancelled: () => this.log.push(`${name} cancelled`),
      closed: (end) => {
        ends.push(end);
        this.log.push(`${name} closed by ${end.scope}${end.error ? ' with error' : ''}`);
      },
    });
    return { channel, deliveries, ends, tag: () => deliveries.at(-1)?.deliveryTag ?? 0 };
  }

  /** One session each with one consumer, attached in this order; the log is empty afterwards. */
  async contenders(...names: string[]) {
    const sessions = names.map(() => this.broker.connect());
    const [first] = sessions;
    if (first === undefined) throw new Error('no names');
    await lockWithToken(first);
    const all = [];
    for (const [index, session] of sessions.entries()) {
      all.push({ session, ...this.attach(session, names[index] ?? '') });
      await settle();
    }
    this.forget();
    return all as [(typeof all)[0], (typeof all)[0], ...typeof all];
  }
}

export async function lockWithToken(session: MemorySession): Promise<void> {
  await session.declare(Q);
  await session.publish(Q, bytes('token'));
}

export function changesOf(session: MemorySession): SessionStateChange[] {
  const changes: SessionStateChange[] = [];
  session.onStateChange((change) => changes.push(change));
  return changes;
}
