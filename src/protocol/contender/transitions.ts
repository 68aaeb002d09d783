import type { BatonError } from '../../errors.ts';
import type { At, ContenderEvent, Effect, Inputs, Refusal, Step } from './types.ts';

const REST_MS = 50;
const REST_MAX_MS = 1_000;

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

export function opened(from: From, phase: Opening['phase'], more: Partial<Opening> = {}): Opening {
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
 * round trip; a passive look would take a foreign queue for a lock. Where a queue must not be recreated at once
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

/** What can pass is tried again, and what cannot is told. */
export function retryOrFail(from: From, error: BatonError, inputs: Inputs): Step {
  if (error.retryable) return rest(from, inputs);
  return leave({ epoch: from.epoch, channelId: undefined }, { why: 'failed', error });
}

/** A place in line of a contender that has no lease, or is not known to have one. */
interface Place {
  readonly epoch: number;
  readonly channelId: number;
  readonly failures?: number;
  /** There is no caller any more. */
  readonly abandoned?: boolean;
}

export type OpenPlace = Pick<At<'waiting'>, 'epoch' | 'channelId' | 'traits'>;

type End = Extract<ContenderEvent, { type: 'cancelled' | 'closed' }>;

/**
 * The place in line is void: the queue or the channel has gone (`end`), or the broker had taken the token back. Nobody was
 * told of a hold, so nothing is lost: a contender with a caller takes a fresh place, one without ends.
 */
export function rejoin(
  { epoch, channelId, failures = 0, abandoned = false }: Place,
  end: End | undefined,
  inputs: Inputs,
): Step {
  const from: From = { epoch, failures };
  const isOpen = end?.type !== 'closed';
  if (abandoned) return leave({ epoch, channelId: isOpen ? channelId : undefined }, { why: 'gave-up' }, true);
  if (end?.type === 'closed') {
    const isLost = end.scope === 'connection' || end.error === undefined;
    return isLost ? consume(from) : retryOrFail(from, end.error, inputs);
  }
  const close: Effect = { do: 'close', channelId };
  if (end === undefined) return after([close], consume(from));
  return after([{ do: 'set-queue-known', known: false }, close], recreate(from, inputs));
}

/** In line on that channel. A try that is handed nothing gives up at `until`. */
export function inLine({ epoch, channelId, traits }: OpenPlace, until?: number): At<'waiting'> {
  return {
    at: 'waiting',
    epoch,
    channelId,
    traits,
    until,
    foreign: undefined,
    graceUntil: undefined,
    foreignCount: 0,
    abandoned: false,
  };
}

export const after = (effects: readonly Effect[], [next, more]: Step): Step => [next, [...effects, ...more]];
