import { QueueMismatchError, StateError, TokenVersionError } from '../../errors.ts';
import type { Effect } from '../contender/types.ts';
import { BASE_MAX } from '../fence.ts';
import { decodeEntry, type Entry, STATE_BYTES } from './entry.ts';
import { keep } from './keeping.ts';
import type { RegisterStep } from './outcome.ts';
import type { InHand, Place, RegisterEffect, RegisterEvent, RegisterState } from './types.ts';

/** How long a register may show nothing before it is seeded: long enough for what is in it to arrive. */
const SEED_AFTER_MS = 250;
/** When to seed or to give back again: what has the register may be a hold that has not ended yet, and swallows seeds. */
const ACT_AGAIN_MS = 5_000;
const ASK_AGAIN_MS = 500;

type Reading = Extract<RegisterState, { at: 'reading' }>;
type Declaring = Extract<RegisterState, { at: 'declaring' }>;

export function declare(place: Place): RegisterStep {
  const state: Declaring = { at: 'declaring', place, askAt: undefined };
  return { state, effects: [{ do: 'register-declare', channelId: place.channelId }] };
}

export function declaring(state: Declaring, event: RegisterEvent, nowMono: number): RegisterStep {
  const { place } = state;
  const consumes: RegisterEffect = { do: 'register-consume', channelId: place.channelId };
  const reading: Reading = {
    at: 'reading',
    place,
    best: undefined,
    away: undefined,
    cameBack: false,
    actAt: nowMono + SEED_AFTER_MS,
    refused: undefined,
    unseeded: undefined,
  };
  switch (event.type) {
    case 'register-declared':
      if (!event.empty) return { state: reading, effects: [consumes] };
      return { state: { ...reading, actAt: nowMono + ACT_AGAIN_MS }, effects: [seed(place), consumes] };
    case 'register-not-declared':
      if (event.error.code === 'access-refused')
        return { state: { ...reading, refused: event.error }, effects: [consumes] };
      if (!event.error.retryable)
        return { state, effects: [], verdict: { is: 'refused', error: event.error } };
      return { state: { ...state, askAt: nowMono + ASK_AGAIN_MS }, effects: [] };
    default:
      return { state, effects: [] };
  }
}

export function reading(state: Reading, event: RegisterEvent, nowMono: number, name: string): RegisterStep {
  const { channelId } = state.place;
  switch (event.type) {
    case 'register-delivered': {
      const { deliveryTag, body, returns } = event.delivery;
      const message = decodeEntry(body, name);
      if (message.kind === 'foreign') return { state, effects: [{ do: 'ack', channelId, deliveryTag }] };
      if (message.kind === 'newer') {
        const error = newerState(name, message.version);
        return { state, effects: [], verdict: { is: 'refused', error } };
      }
      const { entry } = message;
      return handed(state, { entry, deliveryTag, returns, wasHeld: returns > 0 }, nowMono, name);
    }
    case 'register-not-written':
      return { state: { ...state, unseeded: event.error.retryable ? undefined : event.error }, effects: [] };
    case 'register-cancelled':
      return { state, effects: [{ do: 'register-forget' }], verdict: { is: 'void' } };
    default:
      return { state, effects: [] };
  }
}

export function wakeReading(state: RegisterState, nowMono: number): RegisterStep {
  if (state.at === 'declaring' && state.askAt !== undefined && nowMono >= state.askAt) {
    return declare(state.place);
  }
  if (state.at === 'reading' && nowMono >= state.actAt) {
    const later: Reading = { ...state, actAt: nowMono + ACT_AGAIN_MS, away: undefined, cameBack: false };
    // What was given back may never come: somebody else had the register in between and has written something higher.
    if (state.best !== undefined) return giveBack({ ...later, best: undefined }, state.best, nowMono);
    if (state.away !== undefined) return { state: later, effects: [] };
    if (state.unseeded !== undefined)
      return { state, effects: [], verdict: { is: 'refused', error: state.unseeded } };
    return { state: later, effects: [seed(state.place)] };
  }
  return { state, effects: [] };
}

/** The first entry is given back at once: when it is here again, so is everything that was in the register before. */
function handed(state: Reading, arrived: InHand, nowMono: number, name: string): RegisterStep {
  const { away, best, place } = state;
  if (away === undefined) return giveBack(state, arrived, nowMono);
  if (arrived.entry.id !== away.entry.id) {
    if (best === undefined) return { state: { ...state, best: arrived }, effects: [] };
    // The broker had taken it away: the older delivery is void, and acking this one would destroy the state.
    if (arrived.entry.id === best.entry.id)
      return { state: { ...state, best: { ...arrived, wasHeld: best.wasHeld } }, effects: [] };
    const [higher, lower] = byRank(best, arrived);
    return { state: { ...state, best: higher }, effects: [ack(place, lower)] };
  }
  const returned: InHand = { ...arrived, wasHeld: away.wasHeld };
  // A bigger step: somebody else had the register in between.
  if (arrived.returns !== away.returns + 1) return giveBack({ ...state, cameBack: false }, returned, nowMono);
  if (!state.cameBack) return giveBack({ ...state, cameBack: true }, returned, nowMono);
  const [kept, lower] = best === undefined ? [returned, undefined] : byRank(best, returned);
  const acks = lower === undefined ? [] : [ack(place, lower)];
  const { oversize } = kept.entry;
  if (oversize !== undefined)
    return { state, effects: acks, verdict: { is: 'refused', error: tooLarge(name, oversize) } };
  // Before the process remembers it: above the largest base it could make no token, for this name, any more.
  if (kept.entry.fence >= BASE_MAX)
    return { state, effects: acks, verdict: { is: 'refused', error: noBaseAbove(name, kept.entry.fence) } };
  if (kept.entry.fence >= place.fence) {
    const overtaken: RegisterState = { at: 'overtaken', place, proofs: 0 };
    return {
      state: overtaken,
      effects: [...acks, { do: 'fence-seen', fence: kept.entry.fence }],
      verdict: { is: 'read' },
    };
  }
  const epoch = keep(place, kept, nowMono);
  return { ...epoch, effects: [...acks, ...epoch.effects], verdict: { is: 'read' } };
}

function giveBack(state: Reading, entry: InHand, nowMono: number): RegisterStep {
  const { channelId } = state.place;
  const requeue: Effect = { do: 'requeue', channelId, deliveryTag: entry.deliveryTag };
  return { state: { ...state, away: entry, actAt: nowMono + ACT_AGAIN_MS }, effects: [requeue] };
}

/**
 * The higher one first. What nobody ever had in hand was confirmed to nobody: a write that landed after its holder
 * had gone. It counts only if there is nothing else, for example after an operator moved the messages by hand.
 */
function byRank(one: InHand, other: InHand): readonly [InHand, InHand] {
  return isHigher(other, one) ? [other, one] : [one, other];
}

function isHigher(one: InHand, other: InHand): boolean {
  if (one.wasHeld !== other.wasHeld) return one.wasHeld;
  if (one.entry.fence !== other.entry.fence) return one.entry.fence > other.entry.fence;
  return one.entry.seq > other.entry.seq;
}

const ack = ({ channelId }: Place, { deliveryTag }: InHand): Effect => ({
  do: 'ack',
  channelId,
  deliveryTag,
});

function seed({ channelId }: Place): RegisterEffect {
  const nothing: Omit<Entry, 'id'> = { fence: 0n, seq: 0, state: undefined };
  return { do: 'register-write', channelId, ...nothing };
}

function noBaseAbove(name: string, fence: bigint): QueueMismatchError {
  return new QueueMismatchError(
    `the register of lock ${JSON.stringify(name)} has an entry with fence ${fence}, above which no fence is left; nothing was changed. Delete the queue of the register, or use another name`,
  );
}

function tooLarge(name: string, bytes: number): StateError {
  const problem = `must be at most ${STATE_BYTES} bytes of JSON, got ${bytes}`;
  return new StateError(
    `the state of lock ${JSON.stringify(name)} ${problem}: something else wrote it. It was left as it is; remove it from the queue of the lock's state`,
    { problems: [problem] },
  );
}

function newerState(name: string, version: number): TokenVersionError {
  return new TokenVersionError(
    `the state of lock ${JSON.stringify(name)} has protocol version ${version}, this client knows 1; it was left untouched. Upgrade batonmq here`,
  );
}
