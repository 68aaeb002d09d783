import { channel, tracingChannel } from 'node:diagnostics_channel';

/** What every message on the channels carries. Fences are decimal strings, as everywhere outside the process. */
export interface LockTrace {
  readonly lock: string;
  readonly service: string;
  fence?: string;
  error?: unknown;
}

/**
 * `node:diagnostics_channel` tracing channels: `tracing:batonmq:<what>:<start|end|asyncStart|asyncEnd|error>` for
 * `acquire` (the wait), `hold` (from grant to release or loss), `verify`, `save` and `release`. No cost without
 * subscribers.
 */
export const traces = {
  acquire: tracingChannel<unknown, LockTrace>('batonmq:acquire'),
  hold: tracingChannel<unknown, LockTrace>('batonmq:hold'),
  verify: tracingChannel<unknown, LockTrace>('batonmq:verify'),
  save: tracingChannel<unknown, LockTrace>('batonmq:save'),
  release: tracingChannel<unknown, LockTrace>('batonmq:release'),
};

/** `batonmq:waiting`: a contender has got its place in the broker's queue. Carries a {@link LockTrace}. */
export const waitingChannel = channel('batonmq:waiting');
