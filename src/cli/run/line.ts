import type { SendHandle } from 'node:child_process';
import type { Socket } from 'node:net';

/** What `send` of a child process takes and duplicates. */
export type Line = SendHandle;

/**
 * The connected socket of the system. Not the `net.Socket` around it: Node would make another one of it on the other
 * side, which begins to read. Under TLS it is the one below.
 */
export function lineOf(socket: Socket): Line | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return undefined;
  const below: unknown = Reflect.get(handle, '_parent');
  const line = below ?? handle;
  return isTcp(line) ? line : undefined;
}

/** The only kinds that Node hands to another process. */
const isTcp = (handle: unknown): handle is Line =>
  typeof handle === 'object' && handle !== null && ['TCP', 'Pipe'].includes(handle.constructor.name);
