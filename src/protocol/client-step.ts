import { isInLine } from './contender/step.ts';
import type { ContenderState, Inputs, Rules } from './contender/types.ts';
import {
  type Errand,
  hasJustReleased,
  type NameRecord,
  type RecordEvent,
  type RecordInputs,
  recordStep,
} from './name-record.ts';
import { recreation } from './queues.ts';
import {
  type StatefulEffect,
  type StatefulEvent,
  type StatefulState,
  statefulStep,
} from './register/step.ts';

/** A try without a timeout needs a few round trips; a dead connection must not make it wait longer than this. */
export const TRY_ANSWER_MS = 1_000;
/** How many messages of a register are read at a time: one is the rule, more are late writes and seeds. */
export const REGISTER_PREFETCH = 16;

/** One attempt of a process, and what the process knows of the name. */
export interface ClientState {
  readonly attempt: StatefulState;
  readonly record: NameRecord;
}

/** What a client learns from its process and its connection at an event. */
export interface ClientInputs extends RecordInputs {
  /** Whether the process can show that it ran during the last second (stall-detector.ts). */
  readonly ranLately: boolean;
  readonly brokerMajor: number;
}

type OfRecord = Extract<StatefulEffect, { do: 'fence-seen' | 'set-queue-known' | 'register-forget' }>;

/** What is left to do outside: all but what the record takes to itself. */
export type ClientEffect = Exclude<StatefulEffect, OfRecord>;

export type ClientEvent = Exclude<StatefulEvent, { type: 'start' }> | { readonly type: 'start' };

export interface ClientStep extends ClientState {
  readonly effects: readonly ClientEffect[];
  readonly errands: readonly Errand[];
}

/** What has come of an event so far. */
interface Outcome {
  record: NameRecord;
  readonly effects: ClientEffect[];
  readonly errands: Errand[];
}

/** The protocol of a client: one event of one attempt, and what its process knows of the name before and after. */
export function clientStep(
  state: ClientState,
  event: ClientEvent,
  inputs: ClientInputs,
  rules: Rules,
): ClientStep {
  const outcome: Outcome = { record: state.record, effects: [], errands: [] };
  const attempt = feed(state.attempt, event, outcome, inputs, rules);
  return { attempt, record: outcome.record, effects: outcome.effects, errands: outcome.errands };
}

function feed(
  before: StatefulState,
  event: ClientEvent,
  outcome: Outcome,
  inputs: ClientInputs,
  rules: Rules,
): StatefulState {
  hearOfEvent(event, outcome, inputs);
  const told = event.type === 'start' ? { ...event, known: outcome.record.known } : event;
  const [after, effects] = statefulStep(before, told, inputsOf(outcome.record, inputs), rules);
  hearOfPassage(before.contender, after.contender, outcome, inputs);
  let attempt = after;
  const answers: ClientEvent[] = [];
  for (const effect of effects) {
    if (isOfRecord(effect)) hear(asTidings(effect), outcome, inputs);
    else if (effect.do === 'register-declare' && outcome.record.registerKnown)
      answers.push({ type: 'register-declared', channelId: effect.channelId, empty: false });
    else outcome.effects.push(effect);
  }
  for (const answer of answers) attempt = feed(attempt, answer, outcome, inputs, rules);
  return attempt;
}

function hear(event: RecordEvent, outcome: Outcome, inputs: ClientInputs): void {
  const [record, errand] = recordStep(outcome.record, event, inputs);
  outcome.record = record;
  if (errand !== undefined) outcome.errands.push(errand);
}

/**
 * Whether one answer will do for all attempts that ask at the same time: a thousand that open at once look, declare and
 * seed once. A decision to replace the token needs a look of its own; a purge is always its asker's own.
 */
export function isShared(what: ClientEffect['do'], { contender }: StatefulState): boolean {
  return what === 'look' ? contender.at === 'opening' : what !== 'purge';
}

function inputsOf(record: NameRecord, { now, ranLately, brokerMajor }: ClientInputs): Inputs {
  const { recreateAfterMs, looksFirst } = recreation(brokerMajor);
  return {
    now,
    ranLately,
    highestSeen: record.highestSeen,
    justReleased: hasJustReleased(record, now.mono),
    queueEndedAt: record.queueEndedAt,
    recreateAfterMs,
    looksFirst,
  };
}

/** What the name hears of an event, before its attempt does. */
function hearOfEvent(event: ClientEvent, outcome: Outcome, inputs: ClientInputs): void {
  if (event.type === 'start') hear({ type: 'joined' }, outcome, inputs);
  const isEnd = event.type === 'cancelled' || (event.type === 'closed' && event.absent === true);
  if (isEnd) hear({ type: 'queue-ended' }, outcome, inputs);
}

/** What an attempt's way from one state to the next means to its name. */
function hearOfPassage(
  from: ContenderState,
  to: ContenderState,
  outcome: Outcome,
  inputs: ClientInputs,
): void {
  const wasInLine = isInLine(from);
  const isNowInLine = isInLine(to);
  if (wasInLine && !isNowInLine) hear({ type: 'left' }, outcome, inputs);
  const wasOpen = from.at === 'closing' || from.at === 'releasing';
  if (wasOpen && to.at === 'released') hear({ type: 'released' }, outcome, inputs);
  if (!wasInLine && isNowInLine) hear({ type: 'joined' }, outcome, inputs);
}

const isOfRecord = (effect: StatefulEffect): effect is OfRecord =>
  effect.do === 'fence-seen' || effect.do === 'set-queue-known' || effect.do === 'register-forget';

function asTidings(effect: OfRecord): RecordEvent {
  switch (effect.do) {
    case 'fence-seen':
      return { type: 'fence-seen', fence: effect.fence };
    case 'set-queue-known':
      return { type: 'queue-known', known: effect.known };
    case 'register-forget':
      return { type: 'register-known', known: false };
  }
}
