import { channel, tracingChannel } from 'node:diagnostics_channel';
import type { SessionStateChange } from './protocol/port.ts';

/** What every message on the channels carries. Fences are decimal strings, as everywhere outside the process. */
export interface LockTrace {
  readonly lock: string;
  readonly service: string;
  fence?: string;
  error?: unknown;
  /** Of a hold: the message of the acquire that it came from. */
  readonly acquire?: LockTrace;
}

/** What `batonmq:state` carries: a change of a coordinator's state. The first is from `connecting`. */
export interface SessionTrace extends SessionStateChange {
  readonly service: string;
  /** The same object in all messages of one coordinator. */
  readonly session: object;
}

/** What `batonmq:seed` carries. With slots, `lock` is the slot. */
export interface SeedTrace extends LockTrace {
  /** This process had seen a token of the lock before: it was destroyed, or its queue was deleted. */
  readonly again: boolean;
}

/** What `batonmq:start-over` carries. With slots, `lock` is the slot. */
export interface StartOverTrace extends LockTrace {
  /** `state-ahead`: the lock's state was written under a fence that is not below that of its token. */
  readonly reason: 'no-live-token' | 'long-log' | 'state-ahead';
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

/** `batonmq:probe`: nobody has seen a token for healAfterMs, so the queue was probed. Carries a {@link LockTrace}. */
export const probeChannel = channel('batonmq:probe');

/** `batonmq:seed`: a token was made. Carries a {@link SeedTrace}. */
export const seedChannel = channel('batonmq:seed');

/** `batonmq:start-over`: a client purged the queue and replaces the token. Carries a {@link StartOverTrace}. */
export const startOverChannel = channel('batonmq:start-over');

/** `batonmq:state`: a coordinator's state has changed. Carries a {@link SessionTrace}. */
export const stateChannel = channel('batonmq:state');
