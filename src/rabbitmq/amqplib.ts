import type { Socket } from 'node:net';
import { type Channel, type ChannelModel, connect, type SocketOptions } from 'amqplib';
import type { BrokerAddress } from './address.ts';

export type { Channel, ChannelModel, ConfirmChannel, ConsumeMessage, Message } from 'amqplib';

/** How to open one AMQP connection. */
export interface DialOptions {
  readonly address: BrokerAddress;
  readonly heartbeatMs: number;
  /** Shown by the broker's own tools. */
  readonly connectionName: string;
  /** What the user wants passed to `net.connect` or `tls.connect`. */
  readonly socketOptions: object;
  /** Aborting it destroys the socket, in whatever phase the dial is. */
  readonly signal: AbortSignal;
}

/** An open AMQP connection, and what was found out about the other end while opening it. */
export interface Dialled {
  readonly model: ChannelModel;
  readonly socket: Socket;
  readonly product: string;
  readonly version: string;
  /** As negotiated. */
  readonly heartbeatMs: number;
  /** As negotiated: the highest channel number, and so the most channels at a time. */
  readonly channelMax: number;
}

/** What amqplib 2.3.1 knows and does not show: the negotiated values, and the socket under a connection. */
interface ConnectionInternals {
  readonly heartbeat: number;
  readonly channelMax: number;
  readonly stream: Socket;
  /** By number; nothing at that of a channel that is closed. */
  readonly channels: readonly (ChannelSlot | null | undefined)[];
  /** Takes what the channels have to say, in turn, and writes it to the socket. */
  readonly muxer: { readonly newStreams: readonly unknown[]; _readIncoming(): void };
  accept(frame: Frame): void;
  /** What was read from the socket and is no frame yet. */
  rest: Buffer;
  /** Takes a frame off `rest`, and then decodes it. */
  recvFrame(): Frame | false;
}

interface Frame {
  readonly channel: number;
  readonly id?: number;
  readonly fields?: { readonly consumerTag?: string };
}

interface ChannelSlot {
  readonly channel: { closeWithError(id: undefined, reason: string, code: number, error: Error): void };
  /** Of the latest basic.deliver. */
  consumerTag?: string | undefined;
}

/** How amqplib hands a frame to a channel; `channel.close` is class 20, method 40. */
interface ChannelInternals {
  accept(frame: { readonly id?: number }): void;
}
const CHANNEL_CLOSE = (20 << 16) | 40;
const BASIC_DELIVER = (60 << 16) | 60;
const FRAME_OVERHEAD = 8;
const SYNTAX_ERROR = 502;

/** What ended a channel of which one frame could not be decoded: the properties of a message, as far as is known. */
export class UndecodableError extends Error {
  /** Whose message it is. */
  readonly consumerTag: string | undefined;

  constructor(consumerTag: string | undefined, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause));
    this.consumerTag = consumerTag;
  }
}

/**
 * channel.close, ahead of any call that waits for its turn. The promise may never settle. amqplib formats a stack trace
 * before the frame leaves, for an error that nobody here makes: 35 µs of each hand-over.
 */
export function closeChannel(channel: Channel): Promise<void> {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return channel.close();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/**
 * To be called right after closing a channel: calls back when the broker closes it too. When our channel.close
 * crosses a channel.close of the broker (a 404 to the consume before it), RabbitMQ answers ours as a rule, but not
 * always (of 3000 never answered: 0 on 3.10.8, 1 on 4.0.5, 4 on 4.3.6), and amqplib waits without end. The number
 * stays taken then: it must not be used again while the answer could still come.
 */
export function onCrossingClose(channel: Channel, crossed: () => void): void {
  const internals = channel as unknown as ChannelInternals;
  const accept = internals.accept;
  internals.accept = (frame) => {
    accept.call(channel, frame);
    if (frame.id === CHANNEL_CLOSE) crossed();
  };
}

/**
 * RabbitMQ 4.3.6 can send a delivery on a channel that it has just closed (21 of 60, for a 404 with a delivery under
 * way; never 3.10.8 and 4.0.5), and amqplib would close the whole connection with everybody's leases for it. Nobody
 * waits for a frame of a channel that is closed.
 */
function dropFramesOfClosedChannels(connection: ConnectionInternals): void {
  const accept = connection.accept;
  connection.accept = (frame) => {
    const slot = connection.channels[frame.channel];
    if (frame.channel !== 0 && !slot) return;
    if (frame.id === BASIC_DELIVER && slot) slot.consumerTag = frame.fields?.consumerTag;
    accept.call(connection, frame);
  };
}

/**
 * amqplib ends the connection for a frame that it cannot decode, with everybody's leases, and the message that it came
 * with goes back to the head of its queue, for the next one. (A header table nested 6,000 deep, which RabbitMQ accepts,
 * is too deep for amqplib 2.3.1, which decodes it by recursion; a kind of field that it does not know is another.) Only
 * the channel is closed here: amqplib drops what else comes on it.
 */
function closeChannelsOfUndecodableFrames(connection: ConnectionInternals): void {
  const { recvFrame } = connection;
  let { rest } = connection;
  let before = rest;
  Object.defineProperty(connection, 'rest', {
    get: () => rest,
    set(value: Buffer) {
      before = rest;
      rest = value;
    },
  });
  connection.recvFrame = () => {
    for (;;) {
      try {
        return recvFrame.call(connection);
      } catch (error) {
        const wasTaken = before.length - rest.length >= FRAME_OVERHEAD;
        const slot = wasTaken ? connection.channels[before.readUInt16BE(1)] : undefined;
        // Without a channel of its own to close, it concerns the connection.
        if (!wasTaken || before.readUInt16BE(1) === 0) throw error;
        const reason = 'a frame cannot be decoded';
        try {
          slot?.channel.closeWithError(
            undefined,
            reason,
            SYNTAX_ERROR,
            new UndecodableError(slot.consumerTag, error),
          );
        } catch {
          // It is being closed already, and its frames are dropped.
        }
      }
    }
  };
}

/** From so many frames on, gathering them for one write costs less than a write for each. */
const WRITTEN_TOGETHER = 8;

/** What many channels say in one turn of the event loop goes out in one write: amqplib makes one of each frame. */
function writeTogether({ muxer, stream }: ConnectionInternals): void {
  const readIncoming = muxer._readIncoming;
  muxer._readIncoming = () => {
    const gathers = muxer.newStreams.length >= WRITTEN_TOGETHER;
    if (gathers) stream.cork();
    readIncoming.call(muxer);
    if (gathers) stream.uncork();
  };
}

/**
 * Opens one connection. The only place that dials, in the only file that imports amqplib.
 *
 * amqplib is given an object and never a URL string, so that none of its errors can quote a password. Its own
 * `timeout` is an idle timeout that a trickling peer can renew, and until it has connected it shows nobody the
 * socket: hence Node's `signal`, which destroys the socket at any moment. `recovery` would reconnect behind our
 * back, which is wrong for locks, and without `noDelay` a lock makes 22 hand-offs a second.
 */
export async function dialAmqp(options: DialOptions): Promise<Dialled> {
  const { address, signal } = options;
  const given = options.socketOptions as SocketOptions;
  const socketOptions: SocketOptions & { signal: AbortSignal; recovery: undefined } = {
    ...given,
    timeout: undefined,
    recovery: undefined,
    noDelay: true,
    signal,
    clientProperties: { ...given.clientProperties, connection_name: options.connectionName },
  };
  const target = {
    protocol: address.tls ? 'amqps' : 'amqp',
    hostname: address.host,
    port: address.port,
    username: address.user,
    password: address.password,
    // amqplib unescapes the virtual host of an object as it does that of a URL.
    vhost: encodeURIComponent(address.vhost),
    heartbeat: options.heartbeatMs / 1_000,
    ...address.tuning,
  };
  const model = await connect(target, socketOptions as SocketOptions);
  const internals = model.connection as unknown as ConnectionInternals;
  dropFramesOfClosedChannels(internals);
  closeChannelsOfUndecodableFrames(internals);
  writeTogether(internals);
  const { product, version } = model.connection.serverProperties;
  return {
    model,
    socket: internals.stream,
    product: String(product),
    version: String(version),
    heartbeatMs: internals.heartbeat * 1_000,
    channelMax: internals.channelMax,
  };
}
