import type { BatonError } from '../../errors.ts';
import type { QueueDepth } from '../port.ts';
import type { At, ContenderEvent, Effect, Refusal, Step, Surroundings } from './types.ts';

const REST_MS = 50;
const REST_MAX_MS = 1_000;
/** How often a queue may vanish under an opening contender before it pauses. */
const QUICK_FAILURES = 3;
/** When a try looks again. */
const TRY_AGAIN_MS = 25;
/**
 * How long a try of a process that has just released the lock does not take "nothing ready" for an answer, from its first
 * look on: six times what the token needs at worst to be back, and a last look that shows it still leaves time to be
 * handed it within 150 ms. Not from the release on: a process that releases again and again would never be answered.
 */
const TRY_LOOKS_MS = 50;

type Opening = At<'opening'>;
type Call = 'look' | 'declare' | 'seed';

const PHASE_OF = { look: 'looking', declare: 'declaring', seed: 'seeding' } as const;

/** What a new opening state takes over from the state before. */
interface From {
  readonly turn: number;
  readonly failures?: number;
  readonly refused?: BatonError | undefined;
  readonly seenHeldAt?: number | undefined;
}

function opened(from: From, phase: Opening['phase'], more: Partial<Opening> = {}): Opening {
  return {
    at: 'opening',
    turn: from.turn + 1,
    phase,
    line: undefined,
    until: undefined,
    next: undefined,
    failures: from.failures ?? 0,
    refused: from.refused,
    unchecked: false,
    seenHeldAt: from.seenHeldAt,
    ...more,
  };
}

/** Asks the service connection; whatever was asked before is void. */
export function ask(call: Call, from: From, more?: Partial<Opening>): Step {
  const state = opened(from, PHASE_OF[call], more);
  return [state, [{ do: call, call: state.turn }]];
}

/** Takes a new place in line, on a channel that nobody has used. */
export function consume({ turn, failures = 0, seenHeldAt }: From): Step {
  const state = opened({ turn, failures, seenHeldAt }, 'consuming', { line: turn + 1 });
  return [state, [{ do: 'consume', line: turn + 1 }]];
}

/**
 * Begins with a name that this process does not know. A declaration looks, creates and compares the arguments in one
 * round trip; a passive look would take a foreign queue for a lock. Where a queue must not be made again at once
 * after a deletion, a look has to find out first whether there is one.
 */
export function find(from: From, { looksFirst }: Surroundings): Step {
  return looksFirst ? ask('look', from, { unchecked: true }) : ask('declare', from);
}

/** Makes a queue that was deleted, or may just have been. */
export function recreate(from: From, { now, recreateAfterMs }: Surroundings): Step {
  const gone: From = { ...from, seenHeldAt: undefined };
  return [opened(gone, 'resting', { until: now.mono + recreateAfterMs, next: 'declare' }), []];
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
  const { turn, line } = from;
  return [{ at: 'closing', turn, line }, [...tell, { do: 'close', line }]];
}

/** Tries again after a growing pause, from the beginning: whatever was known may be out of date. */
export function rest({ turn, failures = 0 }: From, { now }: Surroundings): Step {
  const until = now.mono + Math.min(REST_MAX_MS, REST_MS * 2 ** Math.min(failures + 1, 10));
  const state = opened({ turn, failures: failures + 1 }, 'resting', { until, next: 'find' });
  return [state, [{ do: 'know', known: false }]];
}

export function opening(
  state: Opening,
  event: ContenderEvent,
  around: Surroundings,
  mode: 'wait' | 'try',
): Step {
  switch (event.type) {
    case 'looked':
      if (event.call !== state.turn || state.phase !== 'looking') return [state, []];
      if (event.depth === 'absent') {
        return state.refused === undefined
          ? recreate(state, around)
          : leave(state, { why: 'failed', error: state.refused });
      }
      return state.unchecked ? ask('declare', state) : enter(state, event.depth, mode, around);
    case 'declared':
      if (event.call !== state.turn || state.phase !== 'declaring') return [state, []];
      return enter(state, event.depth, mode, around);
    case 'seeded':
      return event.call === state.turn && state.phase === 'seeding' ? consume(state) : [state, []];
    case 'call-failed':
      if (event.call !== state.turn || state.phase === 'consuming') return [state, []];
      if (state.phase === 'declaring' && event.error.code === 'access-refused') {
        return ask('look', { ...state, refused: event.error });
      }
      return retryOrFail(state, event.error, around);
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
          strays: 0,
          abandoned: false,
        },
        [
          { do: 'know', known: true },
          ...(mode === 'try' ? [{ do: 'barrier', line: event.line } as const] : []),
        ],
      ];
    case 'closed':
      if (event.line !== state.line) return [state, []];
      if (event.absent) {
        if (state.failures >= QUICK_FAILURES) return rest(state, around);
        const [next, effects] = recreate({ turn: state.turn, failures: state.failures + 1 }, around);
        return [next, [{ do: 'know', known: false }, ...effects]];
      }
      if (event.error === undefined || event.scope === 'connection')
        return consume({ turn: state.turn, failures: state.failures });
      return retryOrFail({ ...state, line: undefined }, event.error, around);
    case 'wake':
      if (state.until === undefined || around.now.mono < state.until || state.next === undefined)
        return [state, []];
      return state.next === 'find' ? find(state, around) : ask(state.next, state);
    case 'give-up':
      return leave(state, { why: 'gave-up' });
    case 'shutdown':
      return leave(state, { why: 'shutdown' });
    default:
      return [state, []];
  }
}

function enter(
  state: Opening,
  { ready, consumers }: QueueDepth,
  mode: 'wait' | 'try',
  { now, justReleased }: Surroundings,
): Step {
  const { turn, failures } = state;
  if (ready > 0) return consume({ turn, failures });
  // Nobody there and nothing ready: no token. Two clients may both seed; the second seed is inert.
  if (consumers === 0) return ask('seed', { ...state, seenHeldAt: undefined });
  const seenHeldAt = state.seenHeldAt ?? now.mono;
  if (mode === 'wait') return consume({ turn, failures, seenHeldAt });
  // Held, or just released: close-ok comes before the token is back (0.7 ms, 7.6 at worst, all versions).
  const isAnswer = state.seenHeldAt !== undefined && (!justReleased || now.mono >= seenHeldAt + TRY_LOOKS_MS);
  if (isAnswer) return leave(state, { why: 'unavailable' });
  const until = now.mono + TRY_AGAIN_MS;
  return [opened({ ...state, seenHeldAt }, 'resting', { until, next: 'look' }), []];
}

function retryOrFail(state: Opening, error: BatonError, around: Surroundings): Step {
  return error.retryable
    ? rest(state, around)
    : leave({ turn: state.turn, line: undefined }, { why: 'failed', error });
}
