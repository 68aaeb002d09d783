/**
 * Reads in this process's own AMQP traffic when a holder asked for proof and was answered, so that a lease which counts
 * its time wrongly is judged by the wire and not by itself.
 */
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { FrameReader } from '../../support/amqp-frames.ts';
import { nowUs } from '../history.ts';

interface Line {
  readonly queue: string;
  askedAt: number | undefined;
}

export interface Proof {
  readonly queue: string;
  /** When the question was sent, in microseconds. */
  readonly sentAt: number;
}

/** To be called before the first connection is opened. Heard with the first delivery after each nack or reject of its channel. */
export function watchProofs(onProof: (proof: Proof) => void): void {
  subscribe('net.client.socket', (message) => watch((message as { socket: Socket }).socket, onProof));
}

function watch(socket: Socket, onProof: (proof: Proof) => void): void {
  const lines = new Map<number, Line>();
  const sent = new FrameReader(true, ({ method, channel }, payload) => {
    if (method === 'basic.consume') lines.set(channel, { queue: queueIn(payload), askedAt: undefined });
    const line = lines.get(channel);
    const isQuestion = method === 'basic.nack' || method === 'basic.reject';
    if (isQuestion && line !== undefined) line.askedAt = nowUs();
    // A nack right before it asks for nothing: it says that the lock was released.
    if (method === 'channel.close') lines.delete(channel);
  });
  const received = new FrameReader(false, ({ method, channel }) => {
    const line = lines.get(channel);
    if (method !== 'basic.deliver' || line?.askedAt === undefined) return;
    onProof({ queue: line.queue, sentAt: line.askedAt });
    line.askedAt = undefined;
  });
  // The store's connections are sockets too.
  let isAmqp: boolean | undefined;
  // Node puts its own write back when it begins to connect.
  socket.once('connect', () => {
    const write = socket.write;
    socket.write = (chunk: Buffer | string, ...rest: unknown[]) => {
      isAmqp ??= String(chunk).startsWith('AMQP');
      if (isAmqp) sent.push(typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk);
      return Reflect.apply(write, socket, [chunk, ...rest]) as boolean;
    };
  });
  socket.on('data', (chunk: Buffer) => {
    if (isAmqp) received.push(chunk);
  });
}

/** basic.consume: class, method, a reserved short, then the queue as a short string. */
function queueIn(payload: Buffer): string {
  return payload.toString('utf8', 7, 7 + payload.readUInt8(6));
}
