import { type BatonError, BrokerUnreachableError } from '../errors.ts';
import type { BrokerAddress } from './address.ts';
import type { Channel, Dialled } from './amqplib.ts';
import { type ChannelReleased, ConnectionChannel, PublishingChannel } from './channel.ts';
import type { ChannelBudget } from './channel-budget.ts';
import { channelLimitOf, lineFault } from './error-translation.ts';
import { Bound } from './timing.ts';

/** How long the last bytes of an ended connection may take to leave before its socket is destroyed. */
const LINGER_MS = 500;
/** How long the broker may take to say good-bye to a connection that nobody needs. */
export const FAREWELL_MS = 200;

/** A socket is destroyed with an error, because amqplib listens to nothing else: without, its heartbeat timers run on. */
const destroyed = () => new Error('destroyed by batonmq');

/** What a connection tells its owner. */
export interface ConnectionEvents {
  /** Once, synchronously with the detection. No error after an orderly close that this side asked for. */
  ended(error: BatonError | undefined): void;
  /** `connection.blocked` and `connection.unblocked`. */
  blocked(on: boolean): void;
  /** Its credentials could not be renewed; it goes on trying. */
  unrenewed(error: BatonError): void;
  /** A channel number is free again. */
  released(): void;
}

/**
 * One open AMQP connection. When it has ended it stays ended, and its socket is really gone soon after: amqplib
 * only calls `stream.end()`, which on a dead line keeps the process alive until TCP gives up.
 */
export class Connection {
  readonly dialled: Dialled;
  readonly address: BrokerAddress;
  readonly #channels = new Set<ConnectionChannel>();
  #events: ConnectionEvents | undefined;
  #budget: ChannelBudget | undefined;
  #end: { error: BatonError | undefined } | undefined;
  #open = 0;
  #closing = false;
  readonly #over = new AbortController();
  #linger: NodeJS.Timeout | undefined;
  /** Resolves when no close-ok can be under way any more; undefined when none is. */
  #settling: Promise<void> | undefined;
  readonly #socketClosed: Promise<void>;

  constructor(dialled: Dialled, address: BrokerAddress) {
    this.dialled = dialled;
    this.address = address;
    const { model, socket } = dialled;
    this.#socketClosed = new Promise((resolve) => {
      if (socket.closed) return resolve();
      socket.once('close', () => {
        clearTimeout(this.#linger);
        this.#finish(lineFault(new Error('socket closed'), address));
        resolve();
      });
    });
    model.on('error', (error) => this.#finish(lineFault(error, address)));
    model.on('close', (error) => {
      this.#finish(error === undefined ? undefined : lineFault(error, address));
      // amqplib is done with it now; our last frame, a close-ok, may still be in the buffer.
      socket.destroySoon();
    });
    model.on('blocked', () => this.#events?.blocked(true));
    model.on('unblocked', () => this.#events?.blocked(false));
  }

  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** Why it ended; undefined after an orderly close. */
  get error(): BatonError | undefined {
    return this.#end?.error;
  }

  /** Channels that are open, or being opened. */
  get channels(): number {
    return this.#open;
  }

  /** How many more channels can be opened. */
  get freeChannels(): number {
    return this.dialled.channelMax - this.#open;
  }

  /** Aborted when it has ended, or is about to be closed. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /**
   * connection.update-secret. A secret that the broker refuses ends the connection. Rejects when the connection has ended, or
   * no answer came in time: amqplib's promise never settles then.
   */
  async updateSecret(secret: string, timeoutMs: number): Promise<void> {
    const bound = new Bound(this.over, timeoutMs);
    try {
      const reason = 'the credentials are about to expire';
      await Promise.race([bound.expired, this.dialled.model.updateSecret(Buffer.from(secret), reason)]);
    } catch (error) {
      if (!bound.signal.aborted) throw lineFault(error, this.address);
      throw new BrokerUnreachableError(`the broker did not answer within ${timeoutMs} ms`);
    } finally {
      bound.release();
    }
  }

  tellUnrenewed(error: BatonError): void {
    this.#events?.unrenewed(error);
  }

  /** Takes the connection over. A connection that has ended already says so at once. */
  attach(events: ConnectionEvents, budget: ChannelBudget): void {
    this.#events = events;
    this.#budget = budget;
    if (this.#end !== undefined) events.ended(this.#end.error);
  }

  openChannel(): Promise<ConnectionChannel> {
    return this.#openChannel(
      () => this.dialled.model.createChannel(),
      (raw, released, closing) => new ConnectionChannel(raw, released, closing),
    );
  }

  openConfirmChannel(): Promise<PublishingChannel> {
    return this.#openChannel(
      () => this.dialled.model.createConfirmChannel(),
      (raw, released, closing) => new PublishingChannel(raw, released, closing),
    );
  }

  /** connection.close, and the socket's destruction if that takes longer. Resolves when the socket is gone. */
  close(timeoutMs: number): Promise<void> {
    if (this.#end !== undefined) this.destroy();
    else if (!this.#closing) {
      this.#closing = true;
      this.#over.abort();
      const timer = setTimeout(() => this.destroy(), timeoutMs);
      void this.#socketClosed.then(() => clearTimeout(timer));
      // On a connection that dies meanwhile this never settles, and on a blocked one it settles unsent.
      this.dialled.model.close().catch(() => {});
    }
    return this.#socketClosed;
  }

  /** Ends it without another word. */
  destroy(error?: BatonError): void {
    this.#finish(error);
    this.dialled.socket.destroy(destroyed());
  }

  #finish(error: BatonError | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = { error: this.#closing ? undefined : error };
    this.#over.abort();
    const most = channelLimitOf(error);
    if (error !== undefined && most !== undefined) this.#budget?.met(error, most);
    const socket = this.dialled.socket;
    if (!socket.closed) this.#linger = setTimeout(() => socket.destroy(destroyed()), LINGER_MS);
    for (const channel of [...this.#channels]) {
      channel.finish({ scope: 'connection', error: this.#end.error });
    }
    this.#channels.clear();
    this.#events?.ended(this.#end.error);
  }

  async #openChannel<R extends Channel, C extends ConnectionChannel>(
    create: () => Promise<R>,
    wrap: (raw: R, released: ChannelReleased, closing: () => void) => C,
  ): Promise<C> {
    // Counted before the first await: several callers may be opening at once.
    this.#open += 1;
    const budget = this.#budget;
    budget?.opening();
    while (this.#settling !== undefined) await this.#settling;
    try {
      const raw = await create();
      // It may have died between the answer and this line; then nobody would hear of the channel's end.
      if (this.#end !== undefined) throw this.#end.error ?? lineFault(new Error('closed'), this.address);
      budget?.opened();
      let isSure = true;
      const closing = () => {
        if (isSure) budget?.closing();
        isSure = false;
      };
      const channel: C = wrap(
        raw,
        (faulty) => {
          closing();
          budget?.released();
          this.#released(channel, faulty);
        },
        closing,
      );
      this.#channels.add(channel);
      return channel;
    } catch (error) {
      this.#open -= 1;
      budget?.failed();
      throw this.#end?.error ?? lineFault(error, this.address);
    }
  }

  #released(channel: ConnectionChannel, faulty: boolean): void {
    this.#open -= 1;
    // Not at once: when the whole connection dies, its channels' ends come first and its own in the same turn.
    queueMicrotask(() => this.#channels.delete(channel));
    // After a close by the broker our close-ok is still in the channel's own buffer, and amqplib's multiplexer
    // takes a chunk from each buffer in turn: a channel.open that reuses the number could overtake it, and the
    // broker would drop it for a frame of the closing channel. Two turns of the event loop empty the buffers.
    if (faulty) {
      const settling = new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
      this.#settling = settling;
      void settling.then(() => {
        if (this.#settling === settling) this.#settling = undefined;
      });
    }
    if (this.#end === undefined) this.#events?.released();
  }
}
