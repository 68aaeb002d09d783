import { decodeMessage } from '../token.ts';
import { consume, leave, recreate, rest } from './opening.ts';
import type { At, ContenderEvent, Effect, Rules, Step, Surroundings } from './types.ts';
import { isLive, TRY_GRACE_MS, waiting } from './waiting.ts';

type Renewing = At<'renewing'>;

/**
 * Starting over, by the active consumer, who has in hand what must not be granted (any more): what is ready is purged,
 * then what is in hand is acked, and once a look shows nothing, a token is seeded above all fences. It comes to the same
 * consumer. The order matters: an ack before the purge lets a stray ahead of the new token become live; a seed before
 * the ack never leaves the queue empty, and below 4.3 only that truncates its Raft log (measured on 3.10.8).
 */
export function renewing(state: Renewing, event: ContenderEvent, around: Surroundings, rules: Rules): Step {
  if ('line' in event && event.line !== state.line) return [state, []];
  if ('call' in event && (event.call !== state.turn || !isAnswer(event, state))) return [state, []];
  switch (event.type) {
    case 'purged': {
      const ack: Effect[] =
        state.line === undefined ? [] : [{ do: 'ack', line: state.line, deliveryTag: state.deliveryTag }];
      return askNext(state, state.crowded ? 'seed' : 'look', ack);
    }
    case 'looked':
      // Somebody else may have seeded. Of an absent queue the consumer is told by its cancel.
      return event.depth === 'absent' || event.depth.ready > 0
        ? settle(state, around, rules)
        : askNext(state, 'seed');
    case 'seeded':
      return settle(state, around, rules);
    case 'call-failed':
      if (state.phase === 'looking') return askNext(state, 'seed'); // a second token is inert, a missing one is not
      return endHere(state, retryOrFail(state, event.error, around));
    case 'delivered':
      return state.phase === 'purging'
        ? endHere(state, consume(state)) // the broker had taken it back
        : arrive(state, event, around, rules);
    case 'cancelled': {
      const [next, effects] = recreate({ turn: state.turn }, around);
      return endHere(state, [next, [{ do: 'know', known: false }, ...effects]]);
    }
    case 'closed':
      // Before the ack the broker has put back what was in hand. After it, somebody has to seed.
      if (state.phase !== 'purging') return [{ ...state, line: undefined }, []];
      return endHere(
        { ...state, line: undefined },
        event.scope === 'connection' || event.error === undefined
          ? consume(state)
          : retryOrFail(state, event.error, around),
      );
    case 'give-up':
      if (state.abandoned) return [state, []];
      return [{ ...state, abandoned: true }, [{ do: 'refuse', refusal: { why: 'gave-up' } }]];
    case 'shutdown':
      return leave(state, { why: 'shutdown' }, state.abandoned);
    default:
      return [state, []];
  }
}

const ANSWERS = { purged: 'purging', looked: 'looking', seeded: 'seeding', declared: undefined } as const;

const isAnswer = ({ type }: Extract<ContenderEvent, { call: number }>, { phase }: Renewing): boolean =>
  type === 'call-failed' || ANSWERS[type] === phase;

const CALLS = { look: 'looking', seed: 'seeding' } as const;

function askNext(state: Renewing, call: keyof typeof CALLS, before: readonly Effect[] = []): Step {
  const turn = state.turn + 1;
  return [{ ...state, turn, phase: CALLS[call] }, [...before, { do: call, call: turn }]];
}

/** Something came after the ack: a token that somebody else had seeded, or one more thing that must not be granted. */
function arrive(
  state: Renewing,
  event: Extract<ContenderEvent, { type: 'delivered' }>,
  around: Surroundings,
  rules: Rules,
): Step {
  const { body, returns, deliveryTag } = event.delivery;
  const message = decodeMessage(body, returns, rules.name);
  const saw: Effect[] = message.kind === 'token' ? [{ do: 'saw', fence: message.fence }] : [];
  if (message.kind === 'newer' || (message.kind === 'token' && isLive(message, around))) {
    const [next, effects] = settle(state, around, rules);
    if (next.at !== 'waiting') return [next, [...saw, ...effects]];
    return waiting(next, event, around, rules);
  }
  return [state, [...saw, { do: 'ack', line: event.line, deliveryTag }]];
}

/** There is a token, or somebody else sees to it. */
function settle(state: Renewing, { now }: Surroundings, { mode }: Rules): Step {
  const { turn, line, traits } = state;
  if (state.abandoned || state.rejoins || line === undefined) return endHere(state, consume(state));
  const until = mode === 'try' ? now.mono + TRY_GRACE_MS : undefined;
  return [
    {
      at: 'waiting',
      turn,
      line,
      traits,
      until,
      stray: undefined,
      graceUntil: undefined,
      strays: 0,
      abandoned: false,
    },
    [],
  ];
}

/** The place in line ends; who has a caller goes on as given. */
function endHere(state: Renewing, [next, effects]: Step): Step {
  if (state.abandoned) return leave(state, { why: 'gave-up' }, true);
  if (state.line === undefined) return [next, effects];
  return [next, [{ do: 'close', line: state.line }, ...effects]];
}

function retryOrFail(
  { turn }: Renewing,
  error: Extract<ContenderEvent, { type: 'call-failed' }>['error'],
  around: Surroundings,
): Step {
  if (error.retryable) return rest({ turn }, around);
  return leave({ turn, line: undefined }, { why: 'failed', error });
}
