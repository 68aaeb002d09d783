import type { QueueDepth } from '../port.ts';
import { decodeMessage } from '../token.ts';
import { ask, emptiesQueue, type Replacing } from './replace-token.ts';
import { after, consume, inLine, leave, rejoin, rest, retryOrFail } from './transitions.ts';
import type { ContenderEvent, Effect, Inputs, Rules, Step } from './types.ts';
import { isLive, surfacedSeed, TRY_GRACE_MS, waiting } from './waiting.ts';

type Event<T extends ContenderEvent['type']> = Extract<ContenderEvent, { type: T }>;

/** How long the new token may take to come; then a look shows whether there is one. */
const ARRIVAL_MS = 1_000;
/** After the ack: when a seed that failed is tried again, and how long a token is owed. */
const SEED_AGAIN_MS = 250;
const OWED_MS = 60_000;
/** How often it is begun again because something came between the purge and the seed. */
const MOST_ROUNDS = 5;

/**
 * What is ready is purged, and a token above all fences is published while the old thing is still in hand, so that
 * nothing behind it is handed out. A look that shows just one message proves that nothing came between the two. Only then
 * the old thing is acked, and the new token comes to the same consumer. Until then a close brings back what there was.
 * Behind a foreign message in a flood of them nothing needs to be proven: what is ahead of the new token is acked, too.
 *
 * A release on 3.x has to leave the queue empty for a moment, because only that truncates its Raft log (measured on
 * 3.10.8): it acks after the purge, and then looks and seeds. A probe shows before that it may publish.
 */
export function replacing(state: Replacing, event: ContenderEvent, inputs: Inputs, rules: Rules): Step {
  if ('channelId' in event && event.channelId !== state.channelId) return [state, []];
  if ('call' in event && (event.call !== state.epoch || !isAnswer(event, state))) return [state, []];
  const owes = state.owedUntil !== undefined;
  switch (event.type) {
    case 'probed':
      return ask(state, 'purge', inputs);
    case 'purged':
      return emptiesQueue(state) ? ackAnd(state, 'look', inputs) : ask(state, 'seed', inputs);
    case 'seeded':
      if (owes) return awaitToken(state, inputs);
      return state.crowded ? ackAnd(state, 'await', inputs) : ask(state, 'look', inputs);
    case 'looked':
      return owes ? lookedForToken(state, event.depth, inputs) : lookedForForeign(state, event.depth, inputs);
    case 'call-failed':
      return failed(state, event, inputs);
    case 'wake':
      return inputs.now.mono < state.until ? [state, []] : late(state, inputs);
    case 'delivered':
      return owes ? arrive(state, event, inputs, rules) : takenBack(state, event, inputs, rules);
    case 'cancelled':
      return after(dropped(state), rejoin({ ...state, channelId: event.channelId }, event, inputs));
    case 'closed':
      if (owes && state.phase !== 'arriving') return [{ ...state, channelId: undefined }, []];
      return rejoin({ ...state, channelId: event.channelId }, event, inputs);
    case 'give-up':
      if (state.abandoned) return [state, []];
      return [{ ...state, abandoned: true }, [{ do: 'refuse', refusal: { why: 'gave-up' } }]];
    case 'shutdown': {
      if (!owes || state.phase === 'arriving')
        return after(dropped(state), leave(state, { why: 'shutdown' }, state.abandoned));
      const told: Effect[] = state.abandoned ? [] : [{ do: 'refuse', refusal: { why: 'shutdown' } }];
      return [{ ...state, abandoned: true }, told];
    }
    default:
      return [state, []];
  }
}

const ANSWERS = {
  probed: 'trying',
  purged: 'purging',
  seeded: 'seeding',
  looked: 'looking',
  declared: undefined,
} as const;

const isAnswer = ({ type }: Extract<ContenderEvent, { call: number }>, { phase }: Replacing): boolean =>
  type === 'call-failed' ? phase !== 'arriving' : ANSWERS[type] === phase;

/** From here on a token is owed. */
function ackAnd(state: Replacing, next: 'look' | 'await', inputs: Inputs): Step {
  const { channelId, deliveryTag } = state;
  const ack: Effect[] = channelId === undefined ? [] : [{ do: 'ack', channelId, deliveryTag }];
  const owing: Replacing = { ...state, owedUntil: inputs.now.mono + OWED_MS };
  if (next === 'look') return ask(owing, 'look', inputs, ack);
  return after(ack, awaitToken(owing, inputs));
}

function awaitToken(state: Replacing, { now }: Inputs): Step {
  if (state.channelId === undefined) return endHere(state, consume(state));
  return [{ ...state, phase: 'arriving', until: now.mono + ARRIVAL_MS }, []];
}

/** One message is the new token. None: somebody else has purged it. More: one may be ahead of it. */
function lookedForForeign(state: Replacing, depth: QueueDepth | 'absent', inputs: Inputs): Step {
  if (depth === 'absent') return [state, []]; // the consumer is told by its cancel
  return depth.ready === 1 ? ackAnd(state, 'await', inputs) : beginAgain(state, inputs);
}

function beginAgain(state: Replacing, inputs: Inputs): Step {
  const rounds = state.rounds + 1;
  if (rounds > MOST_ROUNDS) return endHere(state, rest(state, inputs));
  return ask({ ...state, rounds }, 'purge', inputs);
}

/** Nothing: nobody has seeded yet, or the new token was purged. What has been ready for so long does not come here. */
function lookedForToken(state: Replacing, depth: QueueDepth | 'absent', inputs: Inputs): Step {
  if (depth === 'absent') return endHere(state, consume(state));
  if (depth.ready === 0) return seedAgain(state, inputs);
  return state.rounds === 0 ? awaitToken(state, inputs) : endHere(state, consume(state));
}

/** A second token is inert, a missing one is not. */
function seedAgain(state: Replacing, inputs: Inputs): Step {
  const isOver = state.owedUntil === undefined || inputs.now.mono >= state.owedUntil;
  return isOver ? endHere(state, rest(state, inputs)) : ask(state, 'seed', inputs);
}

function failed(state: Replacing, { error }: Event<'call-failed'>, inputs: Inputs): Step {
  if (state.owedUntil === undefined || error.code === 'closed')
    return endHere(state, retryOrFail(state, error, inputs));
  if (state.phase === 'looking') return seedAgain(state, inputs);
  return [{ ...state, until: inputs.now.mono + SEED_AGAIN_MS }, []];
}

function late(state: Replacing, inputs: Inputs): Step {
  if (state.owedUntil === undefined) return endHere(state, rest(state, inputs));
  if (state.phase !== 'arriving') return seedAgain(state, inputs);
  return ask({ ...state, rounds: state.rounds + 1 }, 'look', inputs);
}

/** Something comes in the place of what was in hand: the broker had taken that back. */
function takenBack(state: Replacing, event: Event<'delivered'>, inputs: Inputs, rules: Rules): Step {
  const { body, returns, deliveryTag } = event.delivery;
  const message = decodeMessage(body, returns, rules.name);
  const isToken = message.kind === 'token';
  const saw: Effect[] = isToken ? [{ do: 'fence-seen', fence: message.fence }] : [];
  const isSame = isToken && message.token.id === state.surfaced;
  const surfaced = isSame ? state.surfaced : isToken ? surfacedSeed(message, inputs) : undefined;
  if (surfaced === undefined) return after(saw, endHere({ ...state, surfaced }, consume(state)));
  return after(saw, ask({ ...state, deliveryTag, surfaced, crowded: false }, 'purge', inputs));
}

/** The new token, one that somebody else has seeded, or one more thing that must not be granted. */
function arrive(state: Replacing, event: Event<'delivered'>, inputs: Inputs, rules: Rules): Step {
  const { body, returns, deliveryTag } = event.delivery;
  const message = decodeMessage(body, returns, rules.name);
  const saw: Effect[] = message.kind === 'token' ? [{ do: 'fence-seen', fence: message.fence }] : [];
  if (message.kind !== 'newer' && !(message.kind === 'token' && isLive(message, inputs)))
    return [state, [...saw, { do: 'ack', channelId: event.channelId, deliveryTag }]];
  if (state.abandoned || state.rejoins) {
    return after(saw, endHere(state, consume(state)));
  }
  const { epoch, traits } = state;
  const until = rules.mode === 'try' ? inputs.now.mono + TRY_GRACE_MS : undefined;
  return waiting(inLine({ epoch, channelId: event.channelId, traits }, until), event, inputs, rules);
}

/** The place in line ends; a contender with a caller goes on as given. */
function endHere(state: Replacing, [next, effects]: Step): Step {
  if (state.abandoned) return after(dropped(state), leave(state, { why: 'gave-up' }, true));
  if (state.channelId === undefined) return [next, effects];
  return [next, [...dropped(state), { do: 'close', channelId: state.channelId }, ...effects]];
}

/** A seed that is given back has come back once, and looks live from then on. Without it the lock heals. */
function dropped({ channelId, deliveryTag, surfaced, owedUntil }: Replacing): readonly Effect[] {
  const isInHand = surfaced !== undefined && owedUntil === undefined && channelId !== undefined;
  return isInHand ? [{ do: 'ack', channelId, deliveryTag }] : [];
}
