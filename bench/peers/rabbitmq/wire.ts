/** Reads along with every AMQP connection of this process, at the socket, without touching the package that is measured. */
import { Socket } from 'node:net';
import { FrameReader } from '../../../test/support/amqp-frames.ts';
import { Tape } from './tape.ts';
import { WireLog } from './wire-log.ts';

export interface Wire {
  readonly log: WireLog;
  readonly tape: Tape;
}

interface Tapped {
  readonly sent: FrameReader;
  readonly received: FrameReader;
}

type Write = (this: Socket, chunk: string | Uint8Array, ...rest: never[]) => boolean;
type Push = (this: Socket, chunk: Uint8Array | null) => boolean;

/** To be called once, before the first connection. */
export function readAlong(): Wire {
  const [log, tape] = [new WireLog(), new Tape()];
  const tapped = new WeakMap<Socket, Tapped>();
  let connections = 0;
  const tap = (socket: Socket): Tapped => {
    let found = tapped.get(socket);
    if (found === undefined) {
      connections += 1;
      const number = connections;
      found = {
        sent: new FrameReader(true, (frame) => {
          log.sent(number, frame);
          tape.note(true, frame);
        }),
        received: new FrameReader(false, (frame) => {
          log.received(number, frame);
          tape.note(false, frame);
        }),
      };
      tapped.set(socket, found);
    }
    return found;
  };
  const prototype = Socket.prototype as unknown as { write: Write; push: Push };
  const { write, push } = prototype;
  prototype.write = function (chunk, ...rest) {
    if (this.remotePort !== undefined || this.connecting) tap(this).sent.push(Buffer.from(chunk));
    return write.call(this, chunk, ...rest);
  };
  prototype.push = function (chunk) {
    if (chunk !== null && tapped.has(this)) tap(this).received.push(Buffer.from(chunk));
    return push.call(this, chunk);
  };
  return { log, tape };
}
