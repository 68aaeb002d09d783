import type { SessionName } from './group.ts';

/** When a lease ends, on CLOCK_MONOTONIC and on the wall clock, in milliseconds. Over as soon as one has reached it. */
export interface LeaseEnd {
  readonly mono: number;
  readonly wall: number;
}

/** CLOCK_MONOTONIC, which all processes of a machine share; `performance.now()` counts from the start of each. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

export const leaseEndIn = (leftMs: number): LeaseEnd => ({
  mono: monotonicMs() + leftMs,
  wall: Date.now() + leftMs,
});

export const leftOf = (end: LeaseEnd): number => Math.min(end.mono - monotonicMs(), end.wall - Date.now());

/** An environment variable of the guard. */
export const FIRST_ORDER = 'BATON_GUARD_ORDER';

/** From `baton run` to the guard. */
export type Order =
  /** Comes with one more line to the broker, which is to stay open until the guard ends. */
  | { readonly do: 'keep' }
  | {
      readonly do: 'run';
      readonly file: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string | undefined>>;
      readonly end: LeaseEnd;
      readonly killAfterMs: number;
    }
  /** A command that runs under a guard that does not answer. */
  | {
      readonly do: 'watch';
      readonly session: SessionName;
      readonly end: LeaseEnd;
      readonly killAfterMs: number;
    }
  /** The lease has been proven again. */
  | { readonly do: 'beat'; readonly end: LeaseEnd }
  | { readonly do: 'signal'; readonly signal: NodeJS.Signals }
  /** The lease is lost. */
  | { readonly do: 'kill' };

/** From the guard to `baton run`. */
export type Answer =
  | { readonly say: 'ready' }
  /** To every order, when it has been carried out. */
  | { readonly say: 'here' }
  | { readonly say: 'started'; readonly session: SessionName }
  /** The command could not be started. */
  | { readonly say: 'failed'; readonly errno: string }
  /** The command has ended, and nothing of its session is left. `stopped`: because the lease ran out. */
  | {
      readonly say: 'ended';
      readonly code: number | null;
      readonly signal: NodeJS.Signals | null;
      readonly stopped: boolean;
    };
