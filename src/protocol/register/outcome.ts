import type { BatonError } from '../../errors.ts';
import type { Effect } from '../contender/types.ts';
import type { RegisterEffect, RegisterState } from './types.ts';

/** What an event means to the hold that the register belongs to. */
export type Verdict =
  /** Everything is known, but whether the token was still there is to be proven. */
  | { readonly is: 'read' }
  /** Nothing comes of this place in line. */
  | { readonly is: 'void' }
  /** An entry that only somebody who was granted later may write: to be acked if the token is still this hold's. */
  | { readonly is: 'suspect'; readonly deliveryTag: number }
  | { readonly is: 'refused'; readonly error: BatonError }
  | {
      readonly is: 'forfeit';
      readonly reason: 'superseded' | 'consumer-cancelled';
      readonly cause?: BatonError;
    };

export interface RegisterStep {
  readonly state: RegisterState;
  readonly effects: readonly (Effect | RegisterEffect)[];
  readonly verdict?: Verdict;
}
