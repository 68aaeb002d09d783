import type { BatonError, LostReason } from '../errors.ts';
import type { Refusal } from '../protocol/contender/types.ts';
import type { Instant } from '../protocol/instant.ts';
import type { StatefulEvent } from '../protocol/register/step.ts';
import type { Handed } from '../protocol/register/types.ts';

/** What happens to a hold, in the order in which it happens. */
export type HoldEvent =
  /** A verification that was sent at `sentAt` has been answered with proof. */
  | { readonly type: 'proven'; readonly sentAt: Instant }
  | { readonly type: 'lost'; readonly reason: LostReason; readonly cause: BatonError | undefined }
  | { readonly type: 'saved'; readonly ticket: number }
  | { readonly type: 'save-failed'; readonly ticket: number; readonly error: BatonError }
  /** Exactly once, last: nothing of the hold is left, or another waiter of this process has it. */
  | { readonly type: 'ended' };

/** What a contender tells whom it works for, with its state already final. `ended` comes exactly once, last. */
export type ContenderReport =
  | { readonly type: 'granted'; readonly fence: bigint; readonly handed: Handed | undefined }
  | { readonly type: 'refused'; readonly refusal: Refusal }
  | HoldEvent;

/** Whom a hold was granted to. */
export interface Holder {
  /** Called from inside the step in which something happens to the hold. */
  hear(event: HoldEvent): void;
}

/** What a lease needs to know and do about its hold. */
export interface HoldHandle {
  dispatch(event: StatefulEvent): void;
  /** Milliseconds, read from the clocks now. 0 when nothing is held any more. */
  readonly vouchedMs: number;
  readonly queue: string;
  readonly tag: string;
}

/** A hold that was just given to a waiter. */
export interface Grant {
  readonly fence: bigint;
  /** What the register of a lock with state held. */
  readonly handed: Handed | undefined;
  readonly hold: HoldHandle;
}
