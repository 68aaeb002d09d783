import type { QueueDepth } from '../../broker/port.ts';
import type { BatonError } from '../../errors.ts';
import type { At, ContenderEvent, Effect, Refusal, Step } from './types.ts';

const REST_MS = 50;
const REST_MAX_MS = 1_000;
/** How often a queue may vanish under an opening contender before it pauses. */
const QUICK_FAILURES = 3;
/** When a try looks again. */
const TRY_AGAIN_MS = 25;

type Opening = At<'opening'>;
type Call = 'look' | 'declare' | 'seed' | 'remove';

const PHASE_OF = { look: 'looking', declare: 'declaring', seed: 'seeding', remove: 'removing' } as const;

/** Asks the service connection; whatever was asked before is void. */
export function ask(
  call: Call,
  from: { turn: number; failures?: number; abandoned?: boolean; refused?: BatonError | undefined },
  line?: number,
): Step {
  const turn = from.turn + 1;
  return [
    {
      at: 'opening',
      turn,
      phase: PHASE_OF[call],
      line,
      until: undefined,
      failures: from.failures ?? 0,
      abandoned: from.abandoned ?? false,
      refused: from.refused,
    },
    [{ do: call, call: turn }],
  ];
}

/** Takes a new place in line, on a channel that nobody has used. */
export function consume(from: { turn: number; failures?: number }): Step {
  const line = from.turn + 1;
  return [
    {
      at: 'opening',
      turn: line,
      phase: 'consuming',
      line,
      until: undefined,
      failures: from.failures ?? 0,
      abandoned: false,
      refused: undefined,
    },
    [{ do: 'consume', line }],
  ];
}

/** The caller is told, and what is open is closed. */
export function leave(
  from: { turn: number; line: number | undefined },
  refusal: Refusal,
  told = false,
): Step {
  const tell: Effect[] = told ? [] : [{ do: 'refuse', refusal }];
  // A wait that ended without a token looks again next time: a purged lock then heals at the second attempt.
  if (refusal.why !== 'unavailable') tell.push({ do: 'know', known: false });
  if (from.line === undefined) return [{ at: 'released', turn: from.turn }, [...tell, { do: 'end' }]];
  const closing: At<'closing'> = { at: 'closing', turn: from.turn, line: from.line, phase: 'channel' };
  return [closing, [...tell, { do: 'close', line: from.line }]];
}

/** Tries again after a growing pause, from the declaration on: whatever was known may be out of date. */
export function rest(from: { turn: number; failures?: number }, nowMono: number): Step {
  const failures = (from.failures ?? 0) + 1;
  const until = nowMono + Math.min(REST_MAX_MS, REST_MS * 2 ** Math.min(failures, 10));
  return [
    {
      at: 'opening',
      turn: from.turn + 1,
      phase: 'resting',
      line: undefined,
      until,
      failures,
      abandoned: false,
      refused: undefined,
    },
    [{ do: 'know', known: false }],
  ];
}

export function opening(state: Opening, event: ContenderEvent, nowMono: number, mode: 'wait' | 'try'): Step {
  switch (event.type) {
    case 'looked':
      if (event.call !== state.turn || state.phase !== 'looking') return [state, []];
      if (event.depth !== 'absent') return enter(state, event.depth, mode, nowMono);
      if (state.refused === undefined) return ask('declare', state);
      return leave(state, { why: 'failed', error: state.refused });
    case 'declared':
      if (event.call !== state.turn || state.phase !== 'declaring') return [state, []];
      return enter(state, event.depth, mode, nowMono);
    case 'seeded':
      return event.call === state.turn && state.phase === 'seeding' ? consume(state) : [state, []];
    case 'removed':
      return event.call === state.turn && state.phase === 'removing' ? afterRemoval(state) : [state, []];
    case 'call-failed':
      if (event.call !== state.turn) return [state, []];
      if (state.phase === 'declaring' && event.error.code === 'access-refused') {
        return ask('look', { ...state, refused: event.error });
      }
      return closeLine(state, retryOrFail(state, event.error, nowMono));
    case 'consuming':
      if (event.line !== state.line || state.phase !== 'consuming') return [state, []];
      return [
        {
          at: 'waiting',
          turn: state.turn,
          line: event.line,
          traits: event.traits,
          until: undefined,
          stray: undefined,
          graceUntil: undefined,
          abandoned: false,
        },
        [
          { do: 'know', known: true },
          ...(mode === 'try' ? [{ do: 'barrier', line: event.line } as const] : []),
        ],
      ];
    case 'closed':
      if (event.line !== state.line) return [state, []];
      // While removing, the channel goes first when the connection dies; the removal itself is still answered.
      if (state.phase === 'removing') return [{ ...state, line: undefined }, []];
      if (event.absent) {
        if (state.failures >= QUICK_FAILURES) return rest(state, nowMono);
        const [next, effects] = ask('declare', { turn: state.turn, failures: state.failures + 1 });
        return [next, [{ do: 'know', known: false }, ...effects]];
      }
      if (event.error === undefined || event.scope === 'connection') return consume(state);
      return retryOrFail({ ...state, line: undefined }, event.error, nowMono);
    case 'wake':
      return state.until !== undefined && nowMono >= state.until
        ? ask(mode === 'try' ? 'look' : 'declare', state)
        : [state, []];
    case 'give-up':
      return state.abandoned ? [state, []] : leave(state, { why: 'gave-up' });
    case 'shutdown':
      return leave(state, { why: 'shutdown' }, state.abandoned);
    default:
      return [state, []];
  }
}

function enter(
  state: Opening,
  { ready, consumers }: QueueDepth,
  mode: 'wait' | 'try',
  nowMono: number,
): Step {
  if (ready > 0) return consume(state);
  // Nobody there and nothing ready: no token. Two clients may both seed; the second seed is inert.
  if (consumers === 0) return ask('seed', state);
  if (mode === 'wait') return consume(state);
  // Held, or just released: close-ok comes before the token is back (0.7 ms, 7.6 at worst, all versions).
  if (state.failures > 0) return leave(state, { why: 'unavailable' });
  return [{ ...state, phase: 'resting', until: nowMono + TRY_AGAIN_MS, failures: 1 }, []];
}

/** Starting over: the queue and all that was in it is gone and everyone attached is told. Create it, seed it, wait in line. */
function afterRemoval(state: Opening): Step {
  if (state.abandoned) return leave(state, { why: 'gave-up' }, true);
  return closeLine(state, ask('declare', { turn: state.turn }));
}

function retryOrFail(
  state: Opening,
  error: Extract<ContenderEvent, { type: 'call-failed' }>['error'],
  nowMono: number,
): Step {
  if (state.abandoned) return leave(state, { why: 'gave-up' }, true);
  return error.retryable
    ? rest(state, nowMono)
    : leave({ turn: state.turn, line: undefined }, { why: 'failed', error });
}

/** The old channel, kept open until the queue was removed so that nobody else was handed what it held. */
function closeLine(state: Opening, [next, effects]: Step): Step {
  if (state.line === undefined || next.at === 'closing') return [next, effects];
  return [next, [{ do: 'close', line: state.line }, ...effects]];
}
