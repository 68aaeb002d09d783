import type { BatonError, LostReason } from '../../errors.ts';
import { fenceOf } from '../fence.ts';
import { remaining } from '../instant.ts';
import type { Delivery, QueueDepth } from '../port.ts';
import { delay, keptUntil, part, unmarking } from './delaying.ts';
import { consume, leave, recreate } from './opening.ts';
import { type Answer, countsApart, grantsVerified, hasMark, judge, notCounted, questionOn } from './proof.ts';
import { renew } from './replace-token.ts';
import type {
  At,
  ContenderEvent,
  Effect,
  HeldState,
  Hold,
  Rules,
  Step,
  Surroundings,
  VerifyingState,
} from './types.ts';

/**
 * Below 4.3 a token that is only ever returned keeps the Raft log from being truncated (125 to 200 bytes a return
 * stay for ever, measured on 3.10.8 and 4.0.5). A holder whose token has come this far releases by starting over.
 */
export const longLog = { returns: 100_000 }; // an object, so that a test can lower it
/** How long to ask, after the broker cancelled a holder's consumer, whether the queue is still there. */
const CANCELLED_MS = 250;
/** How far the wall clock must be ahead to be blamed: it counts whole milliseconds, and NTP slews it. */
const CLOCK_JUMP_MS = 250;
/** How old the proof of a hold may be that serves for its next lease too. An answer alone can take as long (p99 on a busy broker: 12 ms). */
const RECENT_PROOF_MS = 20;

type Granting = At<'granting'>;
type Holding = HeldState | VerifyingState;

/** What is left of a hold, on the clock that is further ahead; 0 in every state but held and verifying. */
export function remainingMs(
  state: At<'held' | 'verifying'>,
  { leaseMs }: Rules,
  now: Surroundings['now'],
): number {
  return remaining(state.provenAt, leaseMs, now);
}

/** The token is here, but its delivery may be old: the caller gets the lease with the first proof. */
export function granting(state: Granting, event: ContenderEvent, around: Surroundings, rules: Rules): Step {
  switch (event.type) {
    case 'delivered': {
      if (event.line !== state.line) return [state, []];
      const answer = judge(state.hold, event.delivery, state.asked, rules);
      // Another contender of this process may have seen a higher fence meanwhile: then this token is not the live one.
      const isHighest = around.highestSeen <= state.hold.fence;
      if (answer.verdict === 'proof' && isHighest && remaining(state.sentAt, rules.leaseMs, around.now) > 0) {
        if (rules.grant === 'verified' && answer.hold.nacked !== undefined && !hasMark(answer.hold, rules))
          return askToMark(state, answer, around);
        const until = keptUntil(state.isAnew, answer.hold, state.traits, around, rules);
        if (until > around.now.mono) {
          const [next, effects] = delay(state, counted(state, answer), around, rules, until);
          return [next, [...answer.saw, ...effects]];
        }
        const { turn, line, traits, sentAt } = state;
        const verifyAt = sentAt.mono + rules.verifyEveryMs;
        const held: HeldState = {
          at: 'held',
          turn,
          line,
          traits,
          hold: answer.hold,
          provenAt: sentAt,
          verifyAt,
        };
        return [held, [...answer.saw, { do: 'grant', fence: state.hold.fence }, { do: 'prove', sentAt }]];
      }
      if (answer.verdict === 'not-counted') return leave(state, { why: 'failed', error: notCounted() });
      return placeIsVoid(state, answer.saw);
    }
    case 'cancelled': {
      if (event.line !== state.line) return [state, []];
      const [next, effects] = recreate({ turn: state.turn }, around);
      return [next, [{ do: 'know', known: false }, { do: 'close', line: state.line }, ...effects]];
    }
    case 'closed':
      return event.line === state.line ? consume(state) : [state, []];
    case 'wake':
      return remaining(state.sentAt, rules.leaseMs, around.now) > 0 ? [state, []] : placeIsVoid(state, []);
    case 'give-up':
      if (
        rules.grant !== 'verified' ||
        isKept(state, around, rules) ||
        !countsApart(state.hold, state.traits)
      )
        return leave(state, { why: 'gave-up' });
      return [
        part(state, state.asked, around),
        [
          { do: 'refuse', refusal: { why: 'gave-up' } },
          { do: 'know', known: false },
        ],
      ];
    case 'shutdown':
      return leave(state, { why: 'shutdown' });
    default:
      return [state, []];
  }
}

/** Its first proof would not be a grant: who leaves before leaves the mark to the next. */
function isKept({ isAnew, hold, traits }: Granting, around: Surroundings, rules: Rules): boolean {
  return keptUntil(isAnew, hold, traits, around, rules) > around.now.mono;
}

/** The token comes from a broker that counted nacks with everything else, and its mark fell out wrong. */
function askToMark(state: Granting, answer: Answer, { now }: Surroundings): Step {
  const hold = counted(state, answer);
  const requeue: Effect = { do: 'requeue', line: state.line, deliveryTag: hold.deliveryTag };
  return [{ ...state, hold, asked: 'requeue', sentAt: now }, [...answer.saw, requeue]];
}

/** A hold that is granted later on, so its fence is that of the last return so far. */
const counted = (state: Granting, { hold, saw }: Answer): Hold => ({
  ...hold,
  fence: saw.at(-1)?.fence ?? state.hold.fence,
});

/** Nobody was told of this grant, so nothing is lost: the broker had taken the token back, or never answers. */
function placeIsVoid(state: Granting, saw: readonly Effect[]): Step {
  const [next, effects] = consume(state);
  return [next, [...saw, { do: 'close', line: state.line }, ...effects]];
}

export function holding(state: Holding, event: ContenderEvent, around: Surroundings, rules: Rules): Step {
  const { now } = around;
  if (remainingMs(state, rules, now) === 0) {
    const ahead = now.wall - state.provenAt.wall - (now.mono - state.provenAt.mono);
    return lose(state, ahead > CLOCK_JUMP_MS ? 'clock-jump' : 'verification-timeout');
  }
  switch (event.type) {
    case 'delivered':
      return event.line === state.line ? delivered(state, event.delivery, around, rules) : [state, []];
    case 'verify':
      return state.at === 'verifying' ? [{ ...state, again: true }, []] : sendVerification(state, around);
    case 'wake':
      if (state.at === 'held')
        return now.mono >= state.verifyAt ? sendVerification(state, around) : [state, []];
      if (state.cancelledUntil === undefined || now.mono < state.cancelledUntil) return [state, []];
      return lose(state, 'consumer-cancelled');
    case 'release':
      return release(state, around, rules);
    case 'pass-on':
      return passOn(state, around, rules);
    case 'cancelled': {
      if (event.line !== state.line) return [state, []];
      const turn = state.turn + 1;
      const { line, traits, hold, provenAt } = state;
      const cancelledUntil = now.mono + CANCELLED_MS;
      return [
        { at: 'verifying', turn, line, traits, hold, provenAt, sentAt: now, again: false, cancelledUntil },
        [
          { do: 'know', known: false },
          { do: 'look', call: turn },
        ],
      ];
    }
    case 'looked':
      if (event.call !== state.turn || !isCancelled(state)) return [state, []];
      return lose(state, isGone(event.depth) ? 'queue-deleted' : 'consumer-cancelled');
    case 'call-failed':
      return event.call === state.turn && isCancelled(state)
        ? lose(state, 'consumer-cancelled')
        : [state, []];
    case 'closed': {
      if (event.line !== state.line) return [state, []];
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

function delivered(state: Holding, delivery: Delivery, around: Surroundings, rules: Rules): Step {
  const answer = judge(state.hold, delivery, questionOn(state.hold, state.traits), rules);
  if (state.at !== 'verifying' || answer.verdict !== 'proof' || isCancelled(state)) {
    const cause = state.at === 'verifying' && answer.verdict === 'not-counted' ? notCounted() : undefined;
    const [next, effects] = lose(state, 'superseded', cause);
    return [next, [...answer.saw, ...effects]];
  }
  const { turn, line, traits, sentAt } = state;
  const verifyAt = sentAt.mono + rules.verifyEveryMs;
  const held: HeldState = { at: 'held', turn, line, traits, hold: answer.hold, provenAt: sentAt, verifyAt };
  if (remainingMs(held, rules, around.now) === 0) {
    const [next, effects] = lose(state, 'clock-jump'); // the wall clock was set back, and forward again
    return [next, [...answer.saw, ...effects]];
  }
  const proven: readonly Effect[] = [...answer.saw, { do: 'prove', sentAt }];
  if (!state.again) return [held, proven];
  const [next, effects] = sendVerification(held, around);
  return [next, [...proven, ...effects]];
}

/** As the active consumer the holder gets the token straight back. */
function sendVerification(state: HeldState, { now }: Surroundings): Step {
  const { turn, line, traits, hold, provenAt } = state;
  return [
    {
      at: 'verifying',
      turn,
      line,
      traits,
      hold,
      provenAt,
      sentAt: now,
      again: false,
      cancelledUntil: undefined,
    },
    [{ do: questionOn(hold, traits), line, deliveryTag: hold.deliveryTag }],
  ];
}

/**
 * The next lease of this process under the same hold. Its fence lies above every one that was seen, and below that of
 * the token's next return: whoever is handed the token after this process, however that ends, gets a higher one.
 */
function passOn(state: Holding, around: Surroundings, rules: Rules): Step {
  const { turn, line, traits, hold } = state;
  const { now, highestSeen, ranLately } = around;
  const fence = highestSeen >= hold.fence ? highestSeen + 1n : hold.fence + 1n;
  const isLast = fence >= fenceOf(hold.base, hold.returns + 1, hold.stride);
  if (isLast || rules.carriesState || isCancelled(state)) return release(state, around, rules);
  const next: Hold = { ...hold, fence };
  const saw: Effect = { do: 'saw', fence };
  const isProven =
    !grantsVerified(rules.grant, traits) || remaining(state.provenAt, RECENT_PROOF_MS, now) > 0;
  if (isProven && ranLately) return [{ ...state, hold: next }, [saw, { do: 'grant', fence }]];
  // The answer under way was asked for by the lease before.
  if (state.at === 'verifying') return release(state, around, rules);
  const asked = questionOn(hold, traits);
  const question: Effect = { do: asked, line, deliveryTag: hold.deliveryTag };
  return [
    { at: 'granting', turn, line, traits, hold: next, asked, sentAt: now, isAnew: false },
    [saw, question],
  ];
}

/**
 * Closing the channel is the release: one replicated step puts the token back and hands it to the next waiter. Where
 * grants are verified the token says that it was released, so that the next holder need not wait for a lease.
 */
function release(state: Holding, around: Surroundings, rules: Rules): Step {
  const { line, hold, traits } = state;
  const turn = state.turn + 1;
  if (state.at === 'held' && hold.returns > longLog.returns && !countsApart(hold, traits))
    return renew(state, hold.deliveryTag, around, { releases: true });
  if (state.at === 'verifying' && hasMark(hold, rules) && !isCancelled(state))
    return [part(state, questionOn(hold, traits), around), []];
  return [{ at: 'closing', turn, line }, [...unmarkingOf(state, rules), { do: 'close', line }]];
}

/** What to do before a hold that nobody believes in is closed. */
export function unmarkingOf(state: Holding, rules: Rules): readonly Effect[] {
  return state.at === 'held' && hasMark(state.hold, rules) ? unmarking(state, state.hold) : [];
}

/** Ends a hold that cannot be vouched for any more. */
export function lose(state: Holding, reason: LostReason, cause?: BatonError, open = true): Step {
  const effects: Effect[] = [{ do: 'lose', reason, cause }];
  if (open) effects.push({ do: 'close', line: state.line });
  return [{ at: 'lost', turn: state.turn, reason }, effects];
}
