import type { LockSession, QueueDepth } from '../../broker/port.ts';
import { isBatonError } from '../../index.ts';

/** Why the broker does not let us look at a queue: it is somebody's own, or on a node that does not run, or … */
export interface Odd {
  readonly problem: string;
}

/**
 * A look at one of many queues: what is wrong with one is told of it, and keeps nobody from looking at the others.
 * Rejects only when there is no connection to look by.
 */
export async function lookAt(session: LockSession, queue: string): Promise<QueueDepth | 'absent' | Odd> {
  try {
    return await session.look(queue);
  } catch (error) {
    if (!isBatonError(error) || (session.state !== 'open' && session.state !== 'blocked')) throw error;
    return { problem: error.message };
  }
}
