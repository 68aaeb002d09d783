import type { GrantMode } from '../../../src/index.ts';
import type { PostgresAddress } from '../../support/postgres.ts';

/** Milliseconds. `leaseMs` must be under twice `heartbeatMs`, which is in whole seconds. */
export interface Times {
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  readonly verifyEveryMs: number;
  readonly healAfterMs: number;
}

export type Build = 'baton' | 'naive';

/** What a worker process is started with, as JSON in the environment variable `WORKER`. */
export interface WorkerSettings {
  readonly who: string;
  readonly build: Build;
  readonly urls: readonly string[];
  readonly locks: readonly string[];
  readonly grant: GrantMode;
  readonly times: Times;
  /** The history file of this process. */
  readonly journal: string;
  /** The folder of the plain files. */
  readonly sets: string;
  readonly store: PostgresAddress;
  readonly seed: number;
}

export type ToWorker =
  /** Acquire, work and release this name once, as the next thing. */
  | { readonly do: 'mint'; readonly lock: string }
  /** Hold the next lease for so long. */
  | { readonly do: 'hold'; readonly ms: number }
  /** Another worker stands still: wake it should the parent vanish. */
  | { readonly do: 'wake-later'; readonly pid: number }
  | { readonly do: 'leave' };
