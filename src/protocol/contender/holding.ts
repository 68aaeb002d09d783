import type { BatonError, LostReason } from '../../errors.ts';
import { fenceOf } from '../fence.ts';
import { remaining } from '../instant.ts';
import type { Delivery, QueueDepth } from '../port.ts';
import { checkProof, countsApart, grantsVerified, hasMark, notCounted, proven, questionOn } from './proof.ts';
import { releaseAfterAnswer, unmarking } from './releasing.ts';
import { replaceToken } from './replace-token.ts';
import type {
  At,
  ContenderEvent,
  Effect,
  HeldState,
  HeldToken,
  Inputs,
  Rules,
  Step,
  VerifyingState,
} from './types.ts';

/**
 * Below 4.3 a token that is only ever returned keeps the Raft log from being truncated (125 to 200 bytes a return
 * stay, measured on 3.10.8 and 4.0.5). A holder whose token has come this far releases by replacing it.
 */
export const longLog = { returns: 100_000 }; // an object, so that a test can lower it
/** How long to ask, after the broker cancelled a holder's consumer, whether the queue is still there. */
const CANCELLED_MS = 250;
/** How far the wall clock must be ahead to be blamed: it counts whole milliseconds, and NTP slews it. */
const CLOCK_JUMP_MS = 250;
/** How old the proof of a hold may be that serves for its next lease too. An answer alone can take as long (p99 on a busy broker: 12 ms). */
const RECENT_PROOF_MS = 20;

type Holding = HeldState | VerifyingState;

/** What is left of a hold, on the clock that is further ahead; 0 in every state but held and verifying. */
export function remainingMs(state: At<'held' | 'verifying'>, { leaseMs }: Rules, now: Inputs['now']): number {
  return remaining(state.provenAt, leaseMs, now);
}

export function holding(state: Holding, event: ContenderEvent, inputs: Inputs, rules: Rules): Step {
  const { now } = inputs;
  if (remainingMs(state, rules, now) === 0) {
    const ahead = now.wall - state.provenAt.wall - (now.mono - state.provenAt.mono);
    return lose(state, ahead > CLOCK_JUMP_MS ? 'clock-jump' : 'verification-timeout');
  }
  switch (event.type) {
    case 'delivered':
      return event.channelId === state.channelId
        ? delivered(state, event.delivery, inputs, rules)
        : [state, []];
    case 'verify':
      return state.at === 'verifying' ? [{ ...state, again: true }, []] : sendVerification(state, inputs);
    case 'wake':
      if (state.at === 'held')
        return now.mono >= state.verifyAt ? sendVerification(state, inputs) : [state, []];
      if (state.cancelledUntil === undefined || now.mono < state.cancelledUntil) return [state, []];
      return lose(state, 'consumer-cancelled');
    case 'release':
      return release(state, inputs, rules);
    case 'pass-on':
      return passOn(state, inputs, rules);
    case 'cancelled': {
      if (event.channelId !== state.channelId) return [state, []];
      const epoch = state.epoch + 1;
      const { channelId, traits, hold, provenAt } = state;
      const cancelledUntil = now.mono + CANCELLED_MS;
      return [
        {
          at: 'verifying',
          epoch,
          channelId,
          traits,
          hold,
          provenAt,
          sentAt: now,
          again: false,
          cancelledUntil,
        },
        [
          { do: 'set-queue-known', known: false },
          { do: 'look', call: epoch },
        ],
      ];
    }
    case 'looked':
      if (event.call !== state.epoch || !isCancelled(state)) return [state, []];
      return lose(state, isGone(event.depth) ? 'queue-deleted' : 'consumer-cancelled');
    case 'call-failed':
      return event.call === state.epoch && isCancelled(state)
        ? lose(state, 'consumer-cancelled')
        : [state, []];
    case 'closed': {
      if (event.channelId !== state.channelId) return [state, []];
      const reason: LostReason = event.scope === 'connection' ? 'connection-closed' : 'channel-closed';
      return lose(state, reason, event.error, false);
    }
    case 'shutdown':
      return lose(state, 'coordinator-closed');
    default:
      return [state, []];
  }
}

/**
 * From 4.0 on consumers hear of a deletion before a look does (36 of 40 on 4.0.5, 33 of 40 on 4.3.6): what is being
 * deleted shows nothing ready and nobody there, while a queue that lives on has the token ready or somebody holding it.
 */
function isGone(depth: QueueDepth | 'absent'): boolean {
  return depth === 'absent' || (depth.ready === 0 && depth.consumers === 0);
}

function isCancelled(state: Holding): boolean {
  return state.at === 'verifying' && state.cancelledUntil !== undefined;
}

function delivered(state: Holding, delivery: Delivery, inputs: Inputs, rules: Rules): Step {
  const answer = checkProof(state.hold, delivery, questionOn(state.hold, state.traits), rules);
  if (state.at !== 'verifying' || answer.verdict !== 'proof' || isCancelled(state)) {
    const cause = state.at === 'verifying' && answer.verdict === 'not-counted' ? notCounted() : undefined;
    const [next, effects] = lose(state, 'superseded', cause);
    return [next, [...answer.saw, ...effects]];
  }
  const { sentAt } = state;
  const held = proven(state, answer, rules);
  if (remainingMs(held, rules, inputs.now) === 0) {
    const [next, effects] = lose(state, 'clock-jump'); // the wall clock was set back, and forward again
    return [next, [...answer.saw, ...effects]];
  }
  const told: readonly Effect[] = [...answer.saw, { do: 'proven', sentAt }];
  if (!state.again) return [held, told];
  const [next, effects] = sendVerification(held, inputs);
  return [next, [...told, ...effects]];
}

/** As the active consumer the holder gets the token straight back. */
function sendVerification(state: HeldState, { now }: Inputs): Step {
  const { epoch, channelId, traits, hold, provenAt } = state;
  return [
    {
      at: 'verifying',
      epoch,
      channelId,
      traits,
      hold,
      provenAt,
      sentAt: now,
      again: false,
      cancelledUntil: undefined,
    },
    [{ do: questionOn(hold, traits), channelId, deliveryTag: hold.deliveryTag }],
  ];
}

/**
 * The next lease of this process under the same hold. Its fence lies above every one that was seen, and below that of
 * the token's next return: however this hold ends, the next holder gets a higher one.
 */
function passOn(state: Holding, inputs: Inputs, rules: Rules): Step {
  const { epoch, channelId, traits, hold } = state;
  const { now, highestSeen, ranLately } = inputs;
  const fence = highestSeen >= hold.fence ? highestSeen + 1n : hold.fence + 1n;
  const isLast = fence >= fenceOf(hold.base, hold.returns + 1, hold.fencesPerReturn);
  if (isLast || rules.carriesState || isCancelled(state)) return release(state, inputs, rules);
  const next: HeldToken = { ...hold, fence };
  const saw: Effect = { do: 'fence-seen', fence };
  const isProven =
    !grantsVerified(rules.grant, traits) || remaining(state.provenAt, RECENT_PROOF_MS, now) > 0;
  if (isProven && ranLately) return [{ ...state, hold: next }, [saw, { do: 'grant', fence }]];
  // The answer under way was asked for by the lease before.
  if (state.at === 'verifying') return release(state, inputs, rules);
  const asked = questionOn(hold, traits);
  const question: Effect = { do: asked, channelId, deliveryTag: hold.deliveryTag };
  return [
    { at: 'granting', epoch, channelId, traits, hold: next, asked, sentAt: now, isReplacement: false },
    [saw, question],
  ];
}

/**
 * Closing the channel is the release: one replicated step puts the token back and hands it to the next waiter. Where
 * grants are verified the token says that it was released, so that the next holder need not wait for a lease.
 */
function release(state: Holding, inputs: Inputs, rules: Rules): Step {
  const { channelId, hold, traits } = state;
  const epoch = state.epoch + 1;
  if (state.at === 'held' && hold.returns > longLog.returns && !countsApart(hold, traits))
    return replaceToken(state, hold.deliveryTag, inputs, { releases: true });
  if (state.at === 'verifying' && hasMark(hold, rules) && !isCancelled(state))
    return [releaseAfterAnswer(state, questionOn(hold, traits), inputs), []];
  return [{ at: 'closing', epoch, channelId }, [...unmarkingOf(state, rules), { do: 'close', channelId }]];
}

/** What to do before a hold that nobody believes in is closed. */
export function unmarkingOf(state: Holding, rules: Rules): readonly Effect[] {
  return state.at === 'held' && hasMark(state.hold, rules) ? unmarking(state, state.hold) : [];
}

/** Ends a hold that cannot be vouched for any more. */
export function lose(state: Holding, reason: LostReason, cause?: BatonError, open = true): Step {
  const effects: Effect[] = [{ do: 'lost', reason, cause }];
  if (open) effects.push({ do: 'close', channelId: state.channelId });
  return [{ at: 'lost', epoch: state.epoch, reason }, effects];
}
