import type { Frame } from '../../../test/support/amqp-frames.ts';

/** What crossed the wire, of all AMQP connections of a process; sums over processes are meaningful. */
export interface WireCounts {
  readonly framesSent: number;
  readonly framesReceived: number;
  readonly publishes: number;
  readonly acks: number;
  readonly cancels: number;
  /** Channels on which a token was handed out. */
  readonly taken: number;
  /** How often a holder asked for proof: basic.nack or basic.reject of the token that it had just been handed. */
  readonly verifications: number;
  /** How often the token came straight back. */
  readonly proofs: number;
  /** Channels that were handed a token and closed without one verification. */
  readonly unverified: number;
  /** Channels that were handed a token and closed before a proof had come. */
  readonly unproven: number;
}

interface Hold {
  delivered: number;
  nacked: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const NOTHING: WireCounts = {
  framesSent: 0,
  framesReceived: 0,
  publishes: 0,
  acks: 0,
  cancels: 0,
  taken: 0,
  verifications: 0,
  proofs: 0,
  unverified: 0,
  unproven: 0,
};

/** Follows the channels of connections, frame by frame. */
export class WireLog {
  #counts: Mutable<WireCounts> = { ...NOTHING };
  readonly #holds = new Map<string, Hold>();
  /** Channels that we have closed and that the broker has not yet: what is delivered on them is read by nobody. */
  readonly #closing = new Set<string>();

  /** What was counted since the last call. */
  take(): WireCounts {
    const counts = this.#counts;
    this.#counts = { ...NOTHING };
    return counts;
  }

  sent(connection: number, { channel, method }: Frame): void {
    const counts = this.#counts;
    counts.framesSent += 1;
    if (method === 'basic.publish') counts.publishes += 1;
    if (method === 'basic.ack') counts.acks += 1;
    if (method === 'basic.cancel') counts.cancels += 1;
    const id = `${connection}/${channel}`;
    if (method === 'basic.nack' || method === 'basic.reject') {
      counts.verifications += 1;
      const hold = this.#holds.get(id);
      if (hold !== undefined) hold.nacked += 1;
    }
    if (method === 'channel.close') this.#closed(id);
  }

  received(connection: number, { channel, method }: Frame): void {
    const counts = this.#counts;
    counts.framesReceived += 1;
    const id = `${connection}/${channel}`;
    if (method === 'channel.close-ok') this.#closing.delete(id);
    if (method !== 'basic.deliver' || this.#closing.has(id)) return;
    const hold = this.#holds.get(id);
    if (hold === undefined) {
      counts.taken += 1;
      this.#holds.set(id, { delivered: 1, nacked: 0 });
      return;
    }
    hold.delivered += 1;
    if (hold.delivered - 1 <= hold.nacked) counts.proofs += 1;
  }

  #closed(id: string): void {
    this.#closing.add(id);
    const hold = this.#holds.get(id);
    if (hold === undefined) return;
    this.#holds.delete(id);
    if (hold.nacked === 0) this.#counts.unverified += 1;
    else if (hold.delivered === 1) this.#counts.unproven += 1;
  }
}

export function sum(counts: readonly WireCounts[]): WireCounts {
  const total: Mutable<WireCounts> = { ...NOTHING };
  for (const each of counts) {
    for (const key of Object.keys(total) as (keyof WireCounts)[]) total[key] += each[key];
  }
  return total;
}
