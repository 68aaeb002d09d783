import type { BatonError } from '../../errors.ts';
import type { QueueDepth } from '../port.ts';
import type { At, ContenderEvent, Effect, Inputs, Refusal, Step } from './types.ts';

const REST_MS = 50;
const REST_MAX_MS = 1_000;
/** How often a queue may vanish under an opening contender before it pauses. */
const QUICK_FAILURES = 3;
/** When a try looks again. */
const TRY_AGAIN_MS = 25;
type Opening = At<'opening'>;
type Call = 'look' | 'declare' | 'seed';

const PHASE_OF = { look: 'looking', declare: 'declaring', seed: 'seeding' } as const;

/** What a new opening state takes over from the state before. */
interface From {
  readonly epoch: number;
  readonly failures?: number;
  readonly refused?: BatonError | undefined;
  readonly seenHeldAt?: number | undefined;
}

function opened(from: From, phase: Opening['phase'], more: Partial<Opening> = {}): Opening {
  return {
    at: 'opening',
    epoch: from.epoch + 1,
    phase,
    channelId: undefined,
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
  return [state, [{ do: call, call: state.epoch }]];
}

/** Takes a new place in line, on a channel that nobody has used. */
export function consume({ epoch, failures = 0, seenHeldAt }: From): Step {
  const state = opened({ epoch, failures, seenHeldAt }, 'consuming', { channelId: epoch + 1 });
  return [state, [{ do: 'consume', channelId: epoch + 1 }]];
}

/**
 * Begins with a name that this process does not know. A declaration looks, creates and compares the arguments in one
 * round trip; a passive look would take a foreign queue for a lock. Where a queue must not be made again at once
 * after a deletion, a look has to find out first whether there is one.
 */
export function find(from: From, { looksFirst }: Inputs): Step {
  return looksFirst ? ask('look', from, { unchecked: true }) : ask('declare', from);
}

/** Makes a queue that was deleted, or may just have been. */
export function recreate(from: From, { now, recreateAfterMs }: Inputs): Step {
  const gone: From = { ...from, seenHeldAt: undefined };
  return [opened(gone, 'resting', { until: now.mono + recreateAfterMs, next: 'declare' }), []];
}

/** The caller is told, and what is open is closed. */
export function leave(
  from: { epoch: number; channelId: number | undefined },
  refusal: Refusal,
  told = false,
): Step {
  const tell: Effect[] = told ? [] : [{ do: 'refuse', refusal }];
  // A wait that ended without a token looks again next time: a purged lock then heals at the second attempt.
  if (refusal.why !== 'unavailable') tell.push({ do: 'set-queue-known', known: false });
  if (from.channelId === undefined) return [{ at: 'released', epoch: from.epoch }, [...tell, { do: 'end' }]];
  const { epoch, channelId } = from;
  return [{ at: 'closing', epoch, channelId }, [...tell, { do: 'close', channelId }]];
}

/** Tries again after a growing pause, from the beginning: whatever was known may be out of date. */
export function rest({ epoch, failures = 0 }: From, { now }: Inputs): Step {
  const until = now.mono + Math.min(REST_MAX_MS, REST_MS * 2 ** Math.min(failures + 1, 10));
  const state = opened({ epoch, failures: failures + 1 }, 'resting', { until, next: 'find' });
  return [state, [{ do: 'set-queue-known', known: false }]];
}

export function opening(state: Opening, event: ContenderEvent, inputs: Inputs, mode: 'wait' | 'try'): Step {
  switch (event.type) {
    case 'looked':
      if (event.call !== state.epoch || state.phase !== 'looking') return [state, []];
      if (event.depth === 'absent') {
        return state.refused === undefined
          ? recreate(state, inputs)
          : leave(state, { why: 'failed', error: state.refused });
      }
      return state.unchecked ? ask('declare', state) : enter(state, event.depth, mode, inputs);
    case 'declared':
      if (event.call !== state.epoch || state.phase !== 'declaring') return [state, []];
      return enter(state, event.depth, mode, inputs);
    case 'seeded':
      return event.call === state.epoch && state.phase === 'seeding' ? consume(state) : [state, []];
    case 'call-failed':
      if (event.call !== state.epoch || state.phase === 'consuming') return [state, []];
      if (state.phase === 'declaring' && event.error.code === 'access-refused') {
        return ask('look', { ...state, refused: event.error });
      }
      return retryOrFail(state, event.error, inputs);
    case 'consuming':
      if (event.channelId !== state.channelId || state.phase !== 'consuming') return [state, []];
      return [
        {
          at: 'waiting',
          epoch: state.epoch,
          channelId: event.channelId,
          traits: event.traits,
          until: undefined,
          foreign: undefined,
          graceUntil: undefined,
          foreignCount: 0,
          abandoned: false,
        },
        [
          { do: 'set-queue-known', known: true },
          ...(mode === 'try' ? [{ do: 'barrier', channelId: event.channelId } as const] : []),
        ],
      ];
    case 'closed':
      if (event.channelId !== state.channelId) return [state, []];
      if (event.absent) {
        if (state.failures >= QUICK_FAILURES) return rest(state, inputs);
        const [next, effects] = recreate({ epoch: state.epoch, failures: state.failures + 1 }, inputs);
        return [next, [{ do: 'set-queue-known', known: false }, ...effects]];
      }
      if (event.error === undefined || event.scope === 'connection')
        return consume({ epoch: state.epoch, failures: state.failures });
      return retryOrFail({ ...state, channelId: undefined }, event.error, inputs);
    case 'wake':
      if (state.until === undefined || inputs.now.mono < state.until || state.next === undefined)
        return [state, []];
      return state.next === 'find' ? find(state, inputs) : ask(state.next, state);
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
  { now, justReleased }: Inputs,
): Step {
  const { epoch, failures } = state;
  if (ready > 0) return consume({ epoch, failures });
  // Nobody there and nothing ready: no token. Two clients may both seed; the second seed is inert.
  if (consumers === 0) return ask('seed', { ...state, seenHeldAt: undefined });
  const seenHeldAt = state.seenHeldAt ?? now.mono;
  if (mode === 'wait') return consume({ epoch, failures, seenHeldAt });
  // Held, or just released: close-ok comes before the token is back (0.7 ms, 7.6 at worst, all versions).
  if (state.seenHeldAt === undefined) {
    return [
      opened({ ...state, seenHeldAt }, 'resting', { until: now.mono + TRY_AGAIN_MS, next: 'look' }),
      [],
    ];
  }
  // The return of a token is a replicated write, and a disk may take its time with it; a look waits for no write. A place
  // in line is one too, behind it: it shows who has the token.
  return justReleased ? consume({ epoch, failures, seenHeldAt }) : leave(state, { why: 'unavailable' });
}

function retryOrFail(state: Opening, error: BatonError, inputs: Inputs): Step {
  return error.retryable
    ? rest(state, inputs)
    : leave({ epoch: state.epoch, channelId: undefined }, { why: 'failed', error });
}
