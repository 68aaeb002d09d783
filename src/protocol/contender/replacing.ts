import type { QueueDepth } from '../port.ts';
import { decodeMessage } from '../token.ts';
import { consume, leave, recreate, rest } from './opening.ts';
import { ask, emptiesQueue, type Renewing } from './replace-token.ts';
import type { ContenderEvent, Effect, Rules, Step, Surroundings } from './types.ts';
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
export function renewing(state: Renewing, event: ContenderEvent, around: Surroundings, rules: Rules): Step {
  if ('line' in event && event.line !== state.line) return [state, []];
  if ('call' in event && (event.call !== state.turn || !isAnswer(event, state))) return [state, []];
  const owes = state.owedUntil !== undefined;
  switch (event.type) {
    case 'probed':
      return ask(state, 'purge', around);
    case 'purged':
      return emptiesQueue(state) ? ackAnd(state, 'look', around) : ask(state, 'seed', around);
    case 'seeded':
      if (owes) return awaitToken(state, around);
      return state.crowded ? ackAnd(state, 'await', around) : ask(state, 'look', around);
    case 'looked':
      return owes ? lookedForToken(state, event.depth, around) : lookedForStrays(state, event.depth, around);
    case 'call-failed':
      return failed(state, event, around);
    case 'wake':
      return around.now.mono < state.until ? [state, []] : late(state, around);
    case 'delivered':
      return owes ? arrive(state, event, around, rules) : takenBack(state, event, around, rules);
    case 'cancelled': {
      const [next, effects] = recreate({ turn: state.turn }, around);
      return endHere(state, [next, [{ do: 'know', known: false }, ...effects]]);
    }
    case 'closed': {
      const left: Renewing = { ...state, line: undefined };
      if (owes && state.phase !== 'arriving') return [left, []];
      const isOver = event.scope === 'connection' || event.error === undefined;
      return endHere(left, isOver ? consume(state) : retryOrFail(left, event.error, around));
    }
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

const isAnswer = ({ type }: Extract<ContenderEvent, { call: number }>, { phase }: Renewing): boolean =>
  type === 'call-failed' ? phase !== 'arriving' : ANSWERS[type] === phase;

/** From here on a token is owed. */
function ackAnd(state: Renewing, next: 'look' | 'await', around: Surroundings): Step {
  const { line, deliveryTag } = state;
  const ack: Effect[] = line === undefined ? [] : [{ do: 'ack', line, deliveryTag }];
  const owing: Renewing = { ...state, owedUntil: around.now.mono + OWED_MS };
  if (next === 'look') return ask(owing, 'look', around, ack);
  const [awaiting, effects] = awaitToken(owing, around);
  return [awaiting, [...ack, ...effects]];
}

function awaitToken(state: Renewing, { now }: Surroundings): Step {
  if (state.line === undefined) return endHere(state, consume(state));
  return [{ ...state, phase: 'arriving', until: now.mono + ARRIVAL_MS }, []];
}

/** One message is the new token. None: somebody else has purged it. More: one may be ahead of it. */
function lookedForStrays(state: Renewing, depth: QueueDepth | 'absent', around: Surroundings): Step {
  if (depth === 'absent') return [state, []]; // the consumer is told by its cancel
  return depth.ready === 1 ? ackAnd(state, 'await', around) : beginAgain(state, around);
}

function beginAgain(state: Renewing, around: Surroundings): Step {
  const rounds = state.rounds + 1;
  if (rounds > MOST_ROUNDS) return endHere(state, rest(state, around));
  return ask({ ...state, rounds }, 'purge', around);
}

/** Nothing: nobody has seeded yet, or the new token was purged. What has been ready for so long does not come here. */
function lookedForToken(state: Renewing, depth: QueueDepth | 'absent', around: Surroundings): Step {
  if (depth === 'absent') return endHere(state, consume(state));
  if (depth.ready === 0) return seedAgain(state, around);
  return state.rounds === 0 ? awaitToken(state, around) : endHere(state, consume(state));
}

/** A second token is inert, a missing one is not. */
function seedAgain(state: Renewing, around: Surroundings): Step {
  const isOver = state.owedUntil === undefined || around.now.mono >= state.owedUntil;
  return isOver ? endHere(state, rest(state, around)) : ask(state, 'seed', around);
}

function failed(state: Renewing, { error }: Event<'call-failed'>, around: Surroundings): Step {
  if (state.owedUntil === undefined || error.code === 'closed')
    return endHere(state, retryOrFail(state, error, around));
  if (state.phase === 'looking') return seedAgain(state, around);
  return [{ ...state, until: around.now.mono + SEED_AGAIN_MS }, []];
}

function late(state: Renewing, around: Surroundings): Step {
  if (state.owedUntil === undefined) return endHere(state, rest(state, around));
  if (state.phase !== 'arriving') return seedAgain(state, around);
  return ask({ ...state, rounds: state.rounds + 1 }, 'look', around);
}

/** Something comes in the place of what was in hand: the broker had taken that back. */
function takenBack(state: Renewing, event: Event<'delivered'>, around: Surroundings, rules: Rules): Step {
  const { body, returns, deliveryTag } = event.delivery;
  const message = decodeMessage(body, returns, rules.name);
  const isToken = message.kind === 'token';
  const saw: Effect[] = isToken ? [{ do: 'saw', fence: message.fence }] : [];
  const isSame = isToken && message.token.id === state.surfaced;
  const surfaced = isSame ? state.surfaced : isToken ? surfacedSeed(message, around) : undefined;
  if (surfaced === undefined) return after(saw, endHere({ ...state, surfaced }, consume(state)));
  return after(saw, ask({ ...state, deliveryTag, surfaced, crowded: false }, 'purge', around));
}

/** The new token, one that somebody else has seeded, or one more thing that must not be granted. */
function arrive(state: Renewing, event: Event<'delivered'>, around: Surroundings, rules: Rules): Step {
  const { body, returns, deliveryTag } = event.delivery;
  const message = decodeMessage(body, returns, rules.name);
  const saw: Effect[] = message.kind === 'token' ? [{ do: 'saw', fence: message.fence }] : [];
  if (message.kind !== 'newer' && !(message.kind === 'token' && isLive(message, around)))
    return [state, [...saw, { do: 'ack', line: event.line, deliveryTag }]];
  if (state.abandoned || state.rejoins) {
    const [next, effects] = endHere(state, consume(state));
    return [next, [...saw, ...effects]];
  }
  const { turn, traits } = state;
  const until = rules.mode === 'try' ? around.now.mono + TRY_GRACE_MS : undefined;
  return waiting(
    {
      at: 'waiting',
      turn,
      line: event.line,
      traits,
      until,
      stray: undefined,
      graceUntil: undefined,
      strays: 0,
      abandoned: false,
    },
    event,
    around,
    rules,
  );
}

/** The place in line ends; who has a caller goes on as given. */
function endHere(state: Renewing, [next, effects]: Step): Step {
  if (state.abandoned) return after(dropped(state), leave(state, { why: 'gave-up' }, true));
  if (state.line === undefined) return [next, effects];
  return [next, [...dropped(state), { do: 'close', line: state.line }, ...effects]];
}

/** A seed that is given back has come back once, and looks live from then on. Without it the lock heals. */
function dropped({ line, deliveryTag, surfaced, owedUntil }: Renewing): readonly Effect[] {
  const isInHand = surfaced !== undefined && owedUntil === undefined && line !== undefined;
  return isInHand ? [{ do: 'ack', line, deliveryTag }] : [];
}

const after = (effects: readonly Effect[], [next, more]: Step): Step => [next, [...effects, ...more]];

function retryOrFail({ turn }: Renewing, error: Event<'call-failed'>['error'], around: Surroundings): Step {
  if (error.retryable) return rest({ turn }, around);
  return leave({ turn, line: undefined }, { why: 'failed', error });
}
