import { TokenVersionError } from '../../errors.ts';
import type { Delivery, QueueDepth } from '../port.ts';
import { decodeMessage, type Message } from '../token.ts';
import { delay } from './delaying.ts';
import { grantsVerified, hasMark, questionOn, replacesAnother } from './proof.ts';
import { replaceToken } from './replace-token.ts';
import { leave, rejoin } from './transitions.ts';
import type { At, ContenderEvent, ForeignInHand, HeldToken, Inputs, Rules, Step } from './types.ts';

/** A token nobody ever had, older than this, is not the live token but a seed that surfaced. */
const STALE_SEED_MS = 60_000;
/** How long a queue that seems to have lost its token is given to show one before a client replaces it. */
const GRACE_MS = 2_000;
/**
 * How many foreign messages and probes are inspected on one place in line. After so many the contender replaces the
 * token whatever is ready: with a live token none of them would have been delivered, and a publisher that is faster than
 * the inspections would keep the lock from healing.
 */
const FOREIGN_AT_MOST = 20;
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

export function waiting(state: Waiting, event: ContenderEvent, inputs: Inputs, rules: Rules): Step {
  switch (event.type) {
    case 'delivered':
      return event.channelId === state.channelId
        ? receive(state, event.delivery, inputs, rules)
        : [state, []];
    case 'barrier':
      if (event.channelId !== state.channelId || rules.mode !== 'try') return [state, []];
      return [{ ...state, until: inputs.now.mono + TRY_GRACE_MS }, []];
    case 'looked':
      return state.foreign?.call === event.call
        ? lookedBehindForeign(state, event.depth, inputs)
        : [state, []];
    case 'call-failed':
      if (state.foreign?.call !== event.call) return [state, []];
      if (!event.error.retryable) return leave(state, { why: 'failed', error: event.error }, state.abandoned);
      return [{ ...state, foreign: lookLater(state.foreign, inputs.now.mono + LOOK_AGAIN_MS) }, []];
    case 'cancelled':
    case 'closed':
      return event.channelId === state.channelId ? rejoin(state, event, inputs) : [state, []];
    case 'wake':
      return wake(state, inputs);
    case 'give-up':
      if (state.abandoned) return [state, []];
      // Deals with a foreign message first: else callers that wait less than the grace would never heal a lock.
      if (state.foreign !== undefined)
        return [{ ...state, abandoned: true }, [{ do: 'refuse', refusal: { why: 'gave-up' } }]];
      return leave(state, { why: 'gave-up' });
    case 'shutdown':
      return leave(state, { why: 'shutdown' }, state.abandoned);
    default:
      return [state, []];
  }
}

function wake(state: Waiting, { now }: Inputs): Step {
  const { foreign } = state;
  if (state.until !== undefined && now.mono >= state.until && !state.abandoned) {
    if (foreign === undefined) return leave(state, { why: 'unavailable' });
    return [{ ...state, abandoned: true }, [{ do: 'refuse', refusal: { why: 'unavailable' } }]];
  }
  if (foreign !== undefined)
    return isOver(foreign.lookAt, now) ? look(state, foreign.deliveryTag) : [state, []];
  return state.abandoned && isOver(state.until, now) ? leave(state, { why: 'gave-up' }, true) : [state, []];
}

function receive(state: Waiting, delivery: Delivery, inputs: Inputs, rules: Rules): Step {
  const message = decodeMessage(delivery.body, delivery.returns, rules.name);
  switch (message.kind) {
    case 'token': {
      // Before anything else: a seed that is given back has come back once, and looks live from then on.
      const live = isLive(message, inputs);
      if (live && !state.abandoned) return grant(state, message, delivery, inputs, rules);
      const { abandoned } = state;
      const [next, effects] = live
        ? leave(state, { why: 'gave-up' }, true)
        : replaceToken(state, delivery.deliveryTag, inputs, {
            abandoned,
            surfaced: surfacedSeed(message, inputs),
          });
      return [next, [{ do: 'fence-seen', fence: message.fence }, ...effects]];
    }
    case 'newer':
      return leave(state, { why: 'failed', error: newerToken(rules.name, message.version) }, state.abandoned);
    case 'probe':
    case 'foreign':
      // Only the active consumer of a queue without a live token at its head is ever handed one of these.
      if (state.foreignCount >= FOREIGN_AT_MOST)
        return replaceToken(state, delivery.deliveryTag, inputs, {
          abandoned: state.abandoned,
          crowded: true,
        });
      return look(
        forgetOldGrace({ ...state, foreignCount: state.foreignCount + 1 }, inputs.now.mono),
        delivery.deliveryTag,
      );
  }
}

export function isLive(message: TokenMessage, inputs: Inputs): boolean {
  return surfacedSeed(message, inputs) === undefined && message.fence > inputs.highestSeen;
}

/** The id of a token that nobody ever had, and that is too old to be the live one. */
export function surfacedSeed({ token, returns }: TokenMessage, { now }: Inputs): string | undefined {
  return returns === 0 && now.wall - token.at > STALE_SEED_MS ? token.id : undefined;
}

function grant(
  state: Waiting,
  message: TokenMessage,
  { body: received, deliveryTag, nacked }: Delivery,
  inputs: Inputs,
  rules: Rules,
): Step {
  const { token, returns, fence } = message;
  const { epoch, channelId, traits } = state;
  const { now, highestSeen } = inputs;
  const { id, base, fencesPerReturn } = token;
  const body = new Uint8Array(received); // a copy: what was received may be part of all that was read from a socket
  const hold: HeldToken = { id, base, fencesPerReturn, body, returns, nacked, deliveryTag, fence };
  const known = [
    { do: 'fence-seen', fence },
    { do: 'set-queue-known', known: true },
  ] as const;
  if (hasMark(hold, rules)) {
    const [next, effects] = delay(state, hold, inputs, rules);
    return [next, [...known, ...effects]];
  }
  if (grantsVerified(rules.grant, traits) || !inputs.ranLately) {
    const asked = rules.grant === 'verified' ? 'requeue' : questionOn(hold, traits);
    const question = { do: asked, channelId, deliveryTag } as const;
    const isReplacement = replacesAnother(hold, traits, rules, highestSeen);
    return [
      { at: 'granting', epoch, channelId, traits, hold, asked, sentAt: now, isReplacement },
      [...known, question],
    ];
  }
  return [
    { at: 'held', epoch, channelId, traits, hold, provenAt: now, verifyAt: now.mono + FIRST_QUESTION_MS },
    [...known, { do: 'grant', fence }],
  ];
}

function look(state: Waiting, deliveryTag: number): Step {
  const call = state.epoch + 1;
  return [
    { ...state, epoch: call, foreign: { deliveryTag, call, lookAt: undefined } },
    [{ do: 'look', call }],
  ];
}

function lookLater(foreign: ForeignInHand, lookAt: number): ForeignInHand {
  return { ...foreign, call: undefined, lookAt };
}

/** An expired grace belonged to earlier messages: require two recent empty inspections before replacing the token. */
function forgetOldGrace(state: Waiting, nowMono: number): Waiting {
  const isOld = state.graceUntil !== undefined && nowMono > state.graceUntil + GRACE_MS;
  return isOld ? { ...state, graceUntil: undefined } : state;
}

function lookedBehindForeign(state: Waiting, depth: QueueDepth | 'absent', inputs: Inputs): Step {
  const { now } = inputs;
  const { foreign, channelId, graceUntil } = state;
  if (foreign === undefined) return [state, []];
  // Without a caller the contender does not wait without end for what should come now: it leaves after the grace.
  const until = state.abandoned ? now.mono + GRACE_MS : state.until;
  if (depth === 'absent') return [{ ...state, foreign: undefined, until }, []]; // the cancellation is on its way
  if (depth.ready > 0) {
    const ack = { do: 'ack', channelId, deliveryTag: foreign.deliveryTag } as const;
    // Also when the caller has gone: what is ready may be one more probe, and somebody has to see it to its end.
    return [{ ...state, foreign: undefined, until }, [ack]];
  }
  if (isOver(graceUntil, now))
    return replaceToken(state, foreign.deliveryTag, inputs, { abandoned: state.abandoned });
  const lookAt = graceUntil ?? now.mono + GRACE_MS;
  return [{ ...state, foreign: lookLater(foreign, lookAt), graceUntil: lookAt }, []];
}

function isOver(until: number | undefined, { mono }: Inputs['now']): boolean {
  return until !== undefined && mono >= until;
}

function newerToken(name: string, version: number): TokenVersionError {
  return new TokenVersionError(
    `the token of lock ${JSON.stringify(name)} has protocol version ${version}, this client knows 1; it was given back. Upgrade batonmq here`,
  );
}
