/** A rule of the protocol does not hold; the message says which, and how. */
export class Violation extends Error {
  readonly rule: Rule;

  constructor(rule: Rule, what: string) {
    super(`${rule}: ${what}`);
    this.rule = rule;
  }
}

/** The invariants, and what a client may never do on the wire. */
export type Rule =
  | 'mutual exclusion'
  | 'fences rise'
  | 'first in, first out'
  | 'it heals'
  | 'a loss is told'
  | 'a lost lease frees nobody'
  | 'the fenced resource'
  | 'one live token'
  | 'one live entry'
  | 'a save is kept'
  | 'a late save has no effect'
  | 'a hold lasts'
  | 'a release costs no delay'
  | 'the wire'
  | 'no exception';

/** Where a promise ends, as docs/guarantees.md says. Each use is counted and printed. */
export type ExceptionName =
  | 'link dropped, nobody told'
  | 'connection ended by the broker'
  | 'deleted while held'
  | 'token destroyed after it was taken back'
  | 'token destroyed, older seed alive'
  | 'queue deleted, older seed stuck'
  | 'token replaced, older seed stuck'
  | 'clock behind at a new token'
  | 'immediate grant of an old delivery'
  | 'old delivery taken for the answer'
  | 'forgotten waiter (3.x)'
  | 'forgotten holder (3.x)'
  | 'suspended, and its clock set back'
  | 'late save reached one who left';

export interface ResolvedGrant {
  readonly fence: bigint;
  /** Number of its token among all that were made. */
  readonly token: number;
  /** The queue's hand-outs by then. */
  readonly handOuts: number;
}

export interface ChecksState {
  resolved: readonly ResolvedGrant[];
  highestResolved: bigint;
  /** The highest fence that the resource has accepted. */
  accepted: bigint;
  places: number;
  /** How many tokens and probes had been made when a token was destroyed last, or deleted with its queue; 0 when none was. */
  destroyedAfter: number;
  deletedAfter: number;
  /** Tokens that had not reached the queue when a client purged it last, and when a client acked a token last. */
  unlanded: readonly number[];
  stuck: readonly number[];
  /** Tokens whose first reader did not know the lock: nobody waited for the holders of the tokens before. */
  newcomers: readonly number[];
  /** Saves that were confirmed or handed over. */
  confirmed: readonly number[];
  /** What was handed over with the lock, in the order in which the token was handed out. */
  handed: readonly { readonly handOut: number; readonly save: number | undefined }[];
  /** Saves that somebody had in hand when he went without an ack, before they were confirmed. */
  read: readonly number[];
  /** Saves that were destroyed after somebody had had them in hand, with all that they had taken the place of. */
  destroyed: readonly number[];
  grants: number;
  /** How often somebody waited for the end of another one's lease. */
  delays: number;
  losses: number;
  saved: number;
  /** The longest overlap that was within its bounds, in milliseconds. */
  longestOverlapMs: number;
  exceptions: Readonly<Partial<Record<ExceptionName, number>>>;
}

export function newChecks(): ChecksState {
  return {
    resolved: [],
    highestResolved: 0n,
    accepted: 0n,
    places: 0,
    destroyedAfter: 0,
    deletedAfter: 0,
    unlanded: [],
    stuck: [],
    newcomers: [],
    confirmed: [],
    handed: [],
    read: [],
    destroyed: [],
    grants: 0,
    delays: 0,
    losses: 0,
    saved: 0,
    longestOverlapMs: 0,
    exceptions: {},
  };
}

export const cloneChecks = (checks: ChecksState): ChecksState => ({ ...checks });
