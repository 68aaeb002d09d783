import type { HistoryEvent, HistoryEventOf } from '../history.ts';

export type Plan = HistoryEventOf<'plan'>;

/** Microseconds; a span that has not ended by the end of the history ends at Infinity. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export type Ending = 'releasing' | 'lost' | 'killed' | 'ended' | 'stopped' | 'none';

/** One lease, from its grant to its end. */
export interface Hold {
  readonly who: string;
  readonly lock: string;
  readonly fence: bigint;
  /** When the acquire that brought it was called. */
  readonly acquiringAt: number;
  readonly grantedAt: number;
  readonly endedAt: number;
  readonly ending: Ending;
  /** When the process believed that it held: up to the end, without the time in which it stood still. */
  readonly beliefs: readonly Span[];
  /** Each time at which it made sure, and each addition to the plain files, in order. */
  readonly steps: readonly HistoryEventOf<'believed' | 'filed'>[];
  readonly proofs: readonly HistoryEventOf<'proven'>[];
}

/** A fault, from the strike to its end. */
export interface Strike extends Span {
  readonly id: number;
  readonly fault: string;
  readonly event: HistoryEventOf<'struck'>;
}

/** Which promise was broken. */
export type RuleName =
  | 'history'
  | 'mutual-exclusion'
  | 'fence-order'
  | 'fence-unique'
  | 'file-set'
  | 'store-lost'
  | 'store-order'
  | 'liveness'
  | 'waiter-forgotten'
  | 'token-lost'
  | 'token-doubled'
  | 'late-signal'
  | 'belief-without-proof'
  | 'no-end'
  | 'crash';

export interface Violation {
  readonly rule: RuleName;
  readonly at: number;
  readonly lock?: string;
  readonly what: string;
  /** What happened around it, in order. */
  readonly around: readonly HistoryEvent[];
}

/** One hold that was believed in while others were: from the first moment of that to the last. */
export interface Overlap extends Span {
  readonly older: Hold;
  /** In order of their grants. */
  readonly newer: readonly Hold[];
  /** The strike by which docs/guarantees.md allows it. */
  readonly allowedBy: Strike | undefined;
}
