import { soon } from '../callbacks.ts';
import type { Clock } from '../clock.ts';
import type { BatonError } from '../errors.ts';
import type { BrokerChannel } from './memory-broker-channel.ts';
import { Line } from './memory-line.ts';

/** What the client's side of a connection is told. */
export interface ConnectionEvents {
  /** `connection.blocked` and `connection.unblocked`. */
  blocked(on: boolean): void;
  lost(error: BatonError): void;
}

/** One connection: a line each way. It is lost once; a session makes another one. */
export class Connection {
  /** From the client to the broker. */
  readonly up: Line;
  /** From the broker to the client. */
  readonly down: Line;
  /** The channels that the broker serves on it. */
  readonly served = new Set<BrokerChannel>();
  readonly events: ConnectionEvents;

  constructor(clock: Clock, delayMs: number, events: ConnectionEvents) {
    this.up = new Line(clock, delayMs);
    this.down = new Line(clock, delayMs);
    this.events = events;
  }

  delay(delayMs: number): void {
    this.up.delay(delayMs);
    this.down.delay(delayMs);
  }

  freeze(): void {
    this.up.freeze();
    this.down.freeze();
  }

  thaw(): void {
    this.up.thaw();
    this.down.thaw();
  }

  /** The socket is destroyed: what was under way is lost, and the client notices at once. */
  destroy(error: BatonError): void {
    this.up.cut();
    this.down.cut();
    soon(() => this.events.lost(error));
  }

  /**
   * The broker hung up. A client that stands still finds that out last: first it reads the old deliveries
   * that wait in its socket.
   */
  closeByBroker(error: BatonError): void {
    if (this.down.frozen) {
      this.down.send(() => this.events.lost(error));
      this.down.seal();
    } else {
      this.destroy(error);
    }
  }
}
