import type { BatonError, LostReason } from '../../errors.ts';
import type { GrantMode } from '../grant-mode.ts';
import type { Instant } from '../instant.ts';
import type { BrokerTraits, ClosedScope, Delivery, QueueDepth } from '../port.ts';
import type { Recreation } from '../queues.ts';
import type { Handed } from '../register/types.ts';

/**
 * How a contender asks whether the token is still its own: it gives it back, by basic.nack or by basic.reject, and as the
 * active consumer gets it straight back. Below 4.3 the two are the same.
 */
export type Question = 'requeue' | 'reject';

/** What stays the same for one contender. */
export interface Rules {
  /** What the token is called: the name of the lock, or its slot. */
  readonly name: string;
  /** `try` looks first and gives up when the token does not come at once; `wait` stays in line. */
  readonly mode: 'wait' | 'try';
  readonly grant: GrantMode;
  readonly leaseMs: number;
  readonly verifyEveryMs: number;
  /** The lock carries state, which is read from its register before the grant (register/step.ts). */
  readonly carriesState?: boolean;
  /** The broker deletes the queue when nobody uses it, so a new token does not mean that one was destroyed. */
  readonly expires?: boolean;
}

/** What the world looks like at an event. */
export interface Inputs extends Recreation {
  readonly now: Instant;
  /** Highest fence delivered to any contender of this process for the name. 0 if none. */
  readonly highestSeen: bigint;
  /** Whether the process can show that it ran during the last second (pulse.ts). */
  readonly ranLately: boolean;
  /** Whether this process released the lock a moment ago, so that the token may not be back in its queue yet. */
  readonly justReleased: boolean;
  /**
   * When this process last heard that the lock's queue is no more, on the monotonic clock; undefined if never. The
   * holder of its token may not have heard of it.
   */
  readonly queueEndedAt: number | undefined;
}

/** The token as this contender has it: `returns` is the count of its last delivery, `fence` that of the grant. */
export interface HeldToken {
  readonly id: string;
  readonly base: bigint;
  readonly fencesPerReturn: number;
  /** Its bytes, so that a token that comes back as it went need not be read again. */
  readonly body: Uint8Array;
  readonly returns: number;
  /** Of its last delivery, too: see {@link Delivery.nacked}. */
  readonly nacked: number | undefined;
  readonly deliveryTag: number;
  readonly fence: bigint;
}

/** Why an acquire ends without a lease. `gave-up`: timeout or abort. `unavailable`: somebody else holds it (try). */
export type Refusal =
  | { readonly why: 'gave-up' | 'unavailable' | 'shutdown' }
  | { readonly why: 'failed'; readonly error: BatonError };

/** A probe or foreign message: only an active consumer without a live token is handed one, and inspects first. */
export interface ForeignInHand {
  readonly deliveryTag: number;
  /** The look under way, or undefined while waiting for `lookAt`. */
  readonly call: number | undefined;
  readonly lookAt: number | undefined;
}

/**
 * One contender: one `acquire` call and the lease that it may end in. A `channelId` is one channel; a channel is never
 * used twice, so every new place in the queue has a new one, and events of older ones are void. A `call` is one
 * request on the service connection. Both are drawn from `epoch`.
 *
 *                 +--------- place void: fresh channel ---------+
 *                 v                                             |
 *   start --> opening ----> waiting ----> granting --+----------+
 *                 |        ^ |   \  \      ^  |      |
 *                 |        | |    \  delaying |      v (proof)
 *                 |        v |     \          |     held <--> verifying
 *                 | replacing|      +---------|----> ^          |  |
 *                 v          v                v      |          |  v
 *              closing <--- releasing <-------+------+----------+ lost (terminal)
 *                 |
 *                 v
 *             released (terminal), once the broker has answered
 *
 * `held` and `verifying` are the states in which the lock is held; the difference is an unanswered question. `delaying`
 * keeps the token of a holder that went without releasing it, or one that replaced another, until nobody can believe
 * any more; `releasing` awaits the answer to its last question, to say that it has released (delaying.ts). `replacing` is the
 * active consumer that puts a new token in the place of what it has in hand (replacing.ts).
 */
export type ContenderState =
  | { readonly at: 'idle'; readonly epoch: 0 }
  | {
      readonly at: 'opening';
      readonly epoch: number;
      readonly phase: 'looking' | 'declaring' | 'seeding' | 'consuming' | 'resting';
      /** The channel that is being opened. */
      readonly channelId: number | undefined;
      /** When resting: until when, and what to do then. */
      readonly until: number | undefined;
      readonly next: 'find' | 'look' | 'declare' | undefined;
      /** Consecutive failures, for the back-off. */
      readonly failures: number;
      /** What the declaration was refused with: a user without that right can still use what exists. */
      readonly refused: BatonError | undefined;
      /** The look under way only finds out whether there is a queue; its arguments are still to be compared. */
      readonly unchecked: boolean;
      /**
       * When a look first showed a consumer and nothing ready. That is an answer: somebody has the lock. A try rests and
       * asks once more, because a token that was just released may not be back yet.
       */
      readonly seenHeldAt: number | undefined;
    }
  | {
      readonly at: 'waiting';
      readonly epoch: number;
      readonly channelId: number;
      readonly traits: BrokerTraits;
      /** When to give up: a `try` after its barrier, a contender without a caller and without a foreign message. */
      readonly until: number | undefined;
      readonly foreign: ForeignInHand | undefined;
      /**
       * When to replace the token if nothing is ready then either, set by the first look that found nothing ready behind a
       * foreign message. It outlives that message: else each probe of a large fleet would restart the grace, and nothing
       * would heal.
       */
      readonly graceUntil: number | undefined;
      /** How many foreign messages and probes this place in line has been handed. */
      readonly foreignCount: number;
      readonly abandoned: boolean;
    }
  | {
      readonly at: 'replacing';
      readonly epoch: number;
      /** Undefined when the channel has gone while a token was owed. */
      readonly channelId: number | undefined;
      readonly traits: BrokerTraits;
      /** What is in hand, until it is acked. */
      readonly deliveryTag: number;
      readonly phase: 'trying' | 'purging' | 'seeding' | 'looking' | 'arriving';
      /** When the answer under way, or the new token, is too late; after a seed that failed, when it is tried again. */
      readonly until: number;
      /** Set with the ack: how long to see to it that there is a token. */
      readonly owedUntil: number | undefined;
      /** How often it was begun again, or the new token did not come. */
      readonly rounds: number;
      /** More keeps coming, so a look would always show something: what is in hand, a foreign message, is acked without one. */
      readonly crowded: boolean;
      /** The id of a seed in hand that surfaced. Given back it would look live, so whatever ends this acks it. */
      readonly surfaced: string | undefined;
      /** Takes a fresh place afterwards: this channel has consumed from the register. */
      readonly rejoins: boolean;
      /** A release, which ends a long log: the token in hand could be given back as well. */
      readonly releases: boolean;
      /** There is no caller, or none any more. */
      readonly abandoned: boolean;
    }
  | {
      readonly at: 'granting';
      readonly epoch: number;
      readonly channelId: number;
      readonly traits: BrokerTraits;
      readonly hold: HeldToken;
      readonly asked: Question;
      readonly sentAt: Instant;
      /** The token replaced another, whose holder may still believe: the delay follows the proof. */
      readonly isReplacement: boolean;
    }
  | {
      readonly at: 'delaying';
      readonly epoch: number;
      readonly channelId: number;
      readonly traits: BrokerTraits;
      readonly hold: HeldToken;
      /** On the monotonic clock. */
      readonly until: number;
      /** The caller has been told to go; the delay goes on, so that the next contender need not restart it. */
      readonly abandoned: boolean;
    }
  | {
      readonly at: 'releasing';
      readonly epoch: number;
      readonly channelId: number;
      readonly traits: BrokerTraits;
      readonly hold: HeldToken;
      readonly asked: Question;
      readonly until: number;
    }
  | HeldState
  | VerifyingState
  | {
      readonly at: 'closing';
      readonly epoch: number;
      readonly channelId: number;
    }
  | { readonly at: 'released'; readonly epoch: number }
  | { readonly at: 'lost'; readonly epoch: number; readonly reason: LostReason };

export interface HeldState {
  readonly at: 'held';
  readonly epoch: number;
  readonly channelId: number;
  readonly traits: BrokerTraits;
  readonly hold: HeldToken;
  /** When the last answered verification was sent: the lease runs from there, not from the answer. */
  readonly provenAt: Instant;
  readonly verifyAt: number;
}

export interface VerifyingState {
  readonly at: 'verifying';
  readonly epoch: number;
  readonly channelId: number;
  readonly traits: BrokerTraits;
  readonly hold: HeldToken;
  readonly provenAt: Instant;
  readonly sentAt: Instant;
  /** Ask once more when this answer is there: somebody called verify() after the question had been sent. */
  readonly again: boolean;
  /** The consumer was cancelled: the question is now whether the queue is still there, and may take until then. */
  readonly cancelledUntil: number | undefined;
}

export type ContenderEvent =
  | { readonly type: 'start'; readonly known: boolean }
  | { readonly type: 'looked'; readonly call: number; readonly depth: QueueDepth | 'absent' }
  | { readonly type: 'declared'; readonly call: number; readonly depth: QueueDepth }
  | { readonly type: 'seeded'; readonly call: number }
  | { readonly type: 'probed' | 'purged'; readonly call: number }
  | { readonly type: 'call-failed'; readonly call: number; readonly error: BatonError }
  | { readonly type: 'consuming'; readonly channelId: number; readonly traits: BrokerTraits }
  | { readonly type: 'delivered'; readonly channelId: number; readonly delivery: Delivery }
  | { readonly type: 'barrier'; readonly channelId: number }
  | { readonly type: 'cancelled'; readonly channelId: number }
  | {
      readonly type: 'closed';
      readonly channelId: number;
      readonly scope: ClosedScope;
      readonly error?: BatonError | undefined;
      readonly absent?: boolean | undefined;
    }
  /** Time has passed. Harmless at any moment. */
  | { readonly type: 'wake' }
  | { readonly type: 'verify' }
  | { readonly type: 'release' }
  /** Ends the lease for another one in the same process, under the same hold of the token. Where that cannot be: release. */
  | { readonly type: 'pass-on' }
  /** Timeout or abort: ends the wait, never a lease. */
  | { readonly type: 'give-up' }
  /** The coordinator closes: ends whatever there is. */
  | { readonly type: 'shutdown' };

export type Effect =
  /** Requests off the contender's channel; answered by looked, declared, seeded, probed, purged or call-failed. */
  | { readonly do: 'look' | 'declare' | 'seed' | 'probe' | 'purge'; readonly call: number }
  /** Opens a fresh channel and consumes. */
  | { readonly do: 'consume' | 'barrier' | 'close'; readonly channelId: number }
  | { readonly do: 'requeue' | 'reject' | 'ack'; readonly channelId: number; readonly deliveryTag: number }
  /** A token was seen with this fence: nothing at or below it is granted in this process again. */
  | { readonly do: 'fence-seen'; readonly fence: bigint }
  /** Whether the queue may be consumed without a look next time. */
  | { readonly do: 'set-queue-known'; readonly known: boolean }
  /** `handed` is what the register of a lock with state held. */
  | { readonly do: 'grant'; readonly fence: bigint; readonly handed?: Handed | undefined }
  | { readonly do: 'refuse'; readonly refusal: Refusal }
  /** A verification that was sent at `sentAt` has been answered with proof. */
  | { readonly do: 'proven'; readonly sentAt: Instant }
  | { readonly do: 'lost'; readonly reason: LostReason; readonly cause?: BatonError | undefined }
  /** Closed and done; nothing of it is left at the broker. */
  | { readonly do: 'end' };

/** A new state and what to do, in this order. */
export type Step = readonly [ContenderState, readonly Effect[]];

export type At<S extends ContenderState['at']> = Extract<ContenderState, { at: S }>;
