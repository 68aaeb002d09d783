import type { BatonError } from '../../errors.ts';
import type { Delivery } from '../port.ts';
import type { Entry } from './entry.ts';

/** An entry in this holder's hands. `returns` is the count of its last delivery. */
export interface InHand {
  readonly entry: Entry;
  readonly deliveryTag: number;
  readonly returns: number;
  /** Somebody had it in hand before. A save is reported as done only to a holder that had it handed back. */
  readonly wasHeld: boolean;
}

/** A save that the register has not handed back yet. Without a ticket nobody waits for it. */
export interface Save {
  readonly seq: number;
  readonly ticket: number | undefined;
}

/** The hold that the register is read for. */
export interface Place {
  readonly channelId: number;
  readonly fence: bigint;
}

/**
 * The register of one hold: begun when the contender has the token, ended with the contender's place in line.
 *
 *   declaring --> reading --------> kept        granted as soon as the token has been proven once more
 *                 seeds while  |
 *                 nothing      +--> overtaken   it knows a fence that is not below the hold's own: once the token has
 *                 comes                         been proven once more, the holder replaces it
 *
 * `away` is the entry that was given back with basic.nack and must come straight back, one count higher: proof that
 * this consumer is the active one, and that it has been handed all that was in the register before. `proofs` counts
 * the proofs of the token that are still awaited, the last of them to a question that was sent after the reading: then
 * nobody with a higher fence can have read the register before.
 */
export type RegisterState =
  | {
      readonly at: 'declaring';
      readonly place: Place;
      /** When to ask again after a failure. */
      readonly askAt: number | undefined;
    }
  | {
      readonly at: 'reading';
      readonly place: Place;
      /** The highest entry in hand, `away` apart. */
      readonly best: InHand | undefined;
      readonly away: InHand | undefined;
      /** It has come back once. A link that drops below 4.3 counts like a return, so it is given back twice. */
      readonly cameBack: boolean;
      /** When to publish a seed if nothing has come by then, or to give another entry back if the last is still away. */
      readonly actAt: number;
      /** What the declaration was refused with: a user without that right can still use what exists. */
      readonly refused: BatonError | undefined;
      /** Why this user cannot seed. It ends the wait only if nothing comes from anybody else either. */
      readonly unseeded: BatonError | undefined;
    }
  | { readonly at: 'overtaken'; readonly place: Place; readonly proofs: number }
  | KeptState;

export interface KeptState {
  readonly at: 'kept';
  readonly place: Place;
  /** 0 from the grant on. */
  readonly proofs: number;
  /** What the next holder would read. */
  readonly kept: InHand;
  readonly away: InHand | undefined;
  readonly refreshAt: number;
  /** Of the last save. */
  readonly seq: number;
  readonly saves: readonly Save[];
  /** Entries that somebody wrote above this hold's fence, until the token shows whether anybody could be granted there. */
  readonly suspects: readonly Suspect[];
}

/** An entry that is acked once the token has been proven so often: the last proof was asked for after it came. */
export interface Suspect {
  readonly deliveryTag: number;
  readonly proofs: number;
}

export type RegisterEvent =
  /** `empty`: nothing ready and nobody there, as a register that has just been made. */
  | { readonly type: 'register-declared'; readonly channelId: number; readonly empty: boolean }
  | { readonly type: 'register-not-declared'; readonly channelId: number; readonly error: BatonError }
  | { readonly type: 'register-delivered'; readonly channelId: number; readonly delivery: Delivery }
  | { readonly type: 'register-cancelled'; readonly channelId: number }
  | {
      readonly type: 'register-not-written';
      readonly channelId: number;
      readonly seq: number;
      readonly error: BatonError;
    }
  /** The holder wants `state` kept; `ticket` comes back in `saved` or `save-failed`. */
  | { readonly type: 'save'; readonly state: unknown; readonly ticket: number };

/** What a hold was handed with the lock. */
export interface Handed {
  /** JSON; undefined when there is none. */
  readonly state: unknown;
  /** Nothing was handed over: the register is new, and nobody has saved since. */
  readonly minted: boolean;
}

/** What the contender's driver does for the register; `requeue` and `ack` are the contender's own effects. */
export type RegisterEffect =
  /** Answered by register-declared (without asking when this process knows the queue) or register-not-declared. */
  | { readonly do: 'register-declare'; readonly channelId: number }
  /** Consumes from the register on the lease's own channel. */
  | { readonly do: 'register-consume'; readonly channelId: number }
  /** Publishes an entry; `seq` 0 is a seed. A failure is answered by register-not-written. */
  | ({ readonly do: 'register-write'; readonly channelId: number } & Omit<Entry, 'id'>)
  | { readonly do: 'register-forget' }
  /** After save-failed it is not known whether the save has landed; `saved` may still follow. */
  | { readonly do: 'saved'; readonly ticket: number }
  | { readonly do: 'save-failed'; readonly ticket: number; readonly error: BatonError };
