import { TokenVersionError } from '../../errors.ts';
import type { Delivery, QueueDepth } from '../port.ts';
import { decodeMessage, type Message } from '../token.ts';
import { delay } from './delaying.ts';
import { consume, leave, recreate, rest } from './opening.ts';
import { grantsVerified, hasMark, isMadeAnew, questionOn } from './proof.ts';
import { renew } from './replace-token.ts';
import type { At, ContenderEvent, Hold, Rules, Step, StrayInHand, Surroundings } from './types.ts';

/** A token nobody ever had, older than this, is not the live token but a seed that surfaced. */
const STALE_SEED_MS = 60_000;
/** How long a queue that seems to have lost its token is given to show one before it is started over. */
const GRACE_MS = 2_000;
/**
 * How many foreign messages and probes are looked into on one place in line. After so many the lock is started over
 * whatever is ready: with a live token none of them would have been delivered, and who publishes faster than they are
 * looked into would keep it from healing.
 */
const STRAYS_AT_MOST = 20;
/** When to ask again after a look that failed. */
const LOOK_AGAIN_MS = 500;
/** In a cluster the node at hand may deliver a moment after the leader has answered the barrier. */
export const TRY_GRACE_MS = 50;
/**
 * A grant that awaits no proof asks for one after so long, when its caller has run: the answer could not come before a
 * release that is made at once, and the question would delay the hand-over (by a third of a hop on 4.3.6).
 */
const FIRST_QUESTION_MS = 1;

type Waiting = At<'waiting'>;
export type TokenMessage = Extract<Message, { kind: 'token' }>;

export function waiting(state: Waiting, event: ContenderEvent, around: Surroundings, rules: Rules): Step {
  switch (event.type) {
    case 'delivered':
      return event.line === state.line ? receive(state, event.delivery, around, rules) : [state, []];
    case 'barrier':
      if (event.line !== state.line || rules.mode !== 'try') return [state, []];
      return [{ ...state, until: around.now.mono + TRY_GRACE_MS }, []];
    case 'looked':
      return state.stray?.call === event.call ? lookedBehindStray(state, event.depth, around) : [state, []];
    case 'call-failed':
      if (state.stray?.call !== event.call) return [state, []];
      if (!event.error.retryable) return leave(state, { why: 'failed', error: event.error }, state.abandoned);
      return [{ ...state, stray: lookLater(state.stray, around.now.mono + LOOK_AGAIN_MS) }, []];
    case 'cancelled': {
      if (event.line !== state.line) return [state, []];
      if (state.abandoned) return leave(state, { why: 'gave-up' }, true);
      const [next, effects] = recreate({ turn: state.turn }, around);
      return [next, [{ do: 'know', known: false }, { do: 'close', line: state.line }, ...effects]];
    }
    case 'closed':
      if (event.line !== state.line) return [state, []];
      if (state.abandoned) return [{ at: 'released', turn: state.turn }, [{ do: 'end' }]];
      if (event.scope === 'connection' || event.error === undefined) return consume(state);
      if (event.error.retryable) return rest({ turn: state.turn }, around);
      return leave({ turn: state.turn, line: undefined }, { why: 'failed', error: event.error });
    case 'wake':
      return wake(state, around);
    case 'give-up':
      if (state.abandoned) return [state, []];
      // A stray in hand is seen to its end: callers that wait less than the grace would never heal a lock.
      if (state.stray !== undefined)
        return [{ ...state, abandoned: true }, [{ do: 'refuse', refusal: { why: 'gave-up' } }]];
      return leave(state, { why: 'gave-up' });
    case 'shutdown':
      return leave(state, { why: 'shutdown' }, state.abandoned);
    default:
      return [state, []];
  }
}

function wake(state: Waiting, { now }: Surroundings): Step {
  const { stray } = state;
  if (state.until !== undefined && now.mono >= state.until && !state.abandoned) {
    if (stray === undefined) return leave(state, { why: 'unavailable' });
    return [{ ...state, abandoned: true }, [{ do: 'refuse', refusal: { why: 'unavailable' } }]];
  }
  if (stray !== undefined) return isOver(stray.lookAt, now) ? look(state, stray.deliveryTag) : [state, []];
  return state.abandoned && isOver(state.until, now) ? leave(state, { why: 'gave-up' }, true) : [state, []];
}

function receive(state: Waiting, delivery: Delivery, around: Surroundings, rules: Rules): Step {
  const message = decodeMessage(delivery.body, delivery.returns, rules.name);
  switch (message.kind) {
    case 'token': {
      // Before anything else: a seed that is given back has come back once, and looks live from then on.
      const live = isLive(message, around);
      if (live && !state.abandoned) return grant(state, message, delivery, around, rules);
      const { abandoned } = state;
      const [next, effects] = live
        ? leave(state, { why: 'gave-up' }, true)
        : renew(state, delivery.deliveryTag, around, { abandoned, surfaced: surfacedSeed(message, around) });
      return [next, [{ do: 'saw', fence: message.fence }, ...effects]];
    }
    case 'newer':
      return leave(state, { why: 'failed', error: newerToken(rules.name, message.version) }, state.abandoned);
    case 'probe':
    case 'stray':
      // Only the active consumer of a queue without a live token at its head is ever handed one of these.
      if (state.strays >= STRAYS_AT_MOST)
        return renew(state, delivery.deliveryTag, around, { abandoned: state.abandoned, crowded: true });
      return look(
        forgetOldGrace({ ...state, strays: state.strays + 1 }, around.now.mono),
        delivery.deliveryTag,
      );
  }
}

export function isLive(message: TokenMessage, around: Surroundings): boolean {
  return surfacedSeed(message, around) === undefined && message.fence > around.highestSeen;
}

/** The id of a token that nobody ever had, and that is too old to be the live one. */
export function surfacedSeed({ token, returns }: TokenMessage, { now }: Surroundings): string | undefined {
  return returns === 0 && now.wall - token.at > STALE_SEED_MS ? token.id : undefined;
}

function grant(
  state: Waiting,
  message: TokenMessage,
  { body: received, deliveryTag, nacked }: Delivery,
  around: Surroundings,
  rules: Rules,
): Step {
  const { token, returns, fence } = message;
  const { turn, line, traits } = state;
  const { now, highestSeen } = around;
  const { id, base, stride } = token;
  const body = new Uint8Array(received); // a copy: what was received may be part of all that was read from a socket
  const hold: Hold = { id, base, stride, body, returns, nacked, deliveryTag, fence };
  const known = [
    { do: 'saw', fence },
    { do: 'know', known: true },
  ] as const;
  if (hasMark(hold, rules)) {
    const [next, effects] = delay(state, hold, around, rules);
    return [next, [...known, ...effects]];
  }
  if (grantsVerified(rules.grant, traits) || !around.ranLately) {
    const asked = rules.grant === 'verified' ? 'requeue' : questionOn(hold, traits);
    const question = { do: asked, line, deliveryTag } as const;
    const isAnew = isMadeAnew(hold, traits, rules, highestSeen);
    return [{ at: 'granting', turn, line, traits, hold, asked, sentAt: now, isAnew }, [...known, question]];
  }
  return [
    { at: 'held', turn, line, traits, hold, provenAt: now, verifyAt: now.mono + FIRST_QUESTION_MS },
    [...known, { do: 'grant', fence }],
  ];
}

function look(state: Waiting, deliveryTag: number): Step {
  const call = state.turn + 1;
  return [{ ...state, turn: call, stray: { deliveryTag, call, lookAt: undefined } }, [{ do: 'look', call }]];
}

function lookLater(stray: StrayInHand, lookAt: number): StrayInHand {
  return { ...stray, call: undefined, lookAt };
}

/** A grace that ran out long ago was about other strays: two looks of these days are wanted before starting over. */
function forgetOldGrace(state: Waiting, nowMono: number): Waiting {
  const isOld = state.graceUntil !== undefined && nowMono > state.graceUntil + GRACE_MS;
  return isOld ? { ...state, graceUntil: undefined } : state;
}

function lookedBehindStray(state: Waiting, depth: QueueDepth | 'absent', around: Surroundings): Step {
  const { now } = around;
  const { stray, line, graceUntil } = state;
  if (stray === undefined) return [state, []];
  // Nobody waits for ever for what should come now: without a caller the contender leaves after the grace.
  const until = state.abandoned ? now.mono + GRACE_MS : state.until;
  if (depth === 'absent') return [{ ...state, stray: undefined, until }, []]; // the cancellation is on its way
  if (depth.ready > 0) {
    const ack = { do: 'ack', line, deliveryTag: stray.deliveryTag } as const;
    // Also when the caller has gone: what is ready may be one more probe, and somebody has to see it to its end.
    return [{ ...state, stray: undefined, until }, [ack]];
  }
  if (isOver(graceUntil, now)) return renew(state, stray.deliveryTag, around, { abandoned: state.abandoned });
  const lookAt = graceUntil ?? now.mono + GRACE_MS;
  return [{ ...state, stray: lookLater(stray, lookAt), graceUntil: lookAt }, []];
}

function isOver(until: number | undefined, { mono }: Surroundings['now']): boolean {
  return until !== undefined && mono >= until;
}

function newerToken(name: string, version: number): TokenVersionError {
  return new TokenVersionError(
    `the token of lock ${JSON.stringify(name)} has protocol version ${version}, this client knows 1; it was given back. Upgrade batonmq here`,
  );
}
