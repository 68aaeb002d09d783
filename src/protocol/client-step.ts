import { isInLine } from './contender/step.ts';
import type { Inputs, Rules } from './contender/types.ts';
import type { Instant } from './instant.ts';
import {
  type Errand,
  hasJustReleased,
  type NameRecord,
  type RecordEvent,
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
export interface ClientInputs {
  readonly now: Instant;
  /** Whether the process can show that it ran during the last second (stall-detector.ts). */
  readonly ranLately: boolean;
  readonly brokerMajor: number;
  readonly healAfterMs: number;
  readonly jitter: () => number;
}

type OfRecord = Extract<StatefulEffect, { do: 'fence-seen' | 'set-queue-known' | 'register-forget' }>;

/** What is left to do outside: all but what the record takes to itself. */
export type ClientEffect = Exclude<StatefulEffect, OfRecord>;

export type ClientEvent = Exclude<StatefulEvent, { type: 'start' }> | { readonly type: 'start' };

export interface ClientStep extends ClientState {
  readonly effects: readonly ClientEffect[];
  readonly errands: readonly Errand[];
}

/** The protocol of a client: one event of one attempt, and what its process knows of the name before and after. */
export function clientStep(
  state: ClientState,
  event: ClientEvent,
  inputs: ClientInputs,
  rules: Rules,
): ClientStep {
  const effects: ClientEffect[] = [];
  const errands: Errand[] = [];
  const hear = (record: NameRecord, events: readonly RecordEvent[]): NameRecord => {
    let heard = record;
    for (const each of events) {
      const [next, errand] = recordStep(heard, each, { ...inputs, nowMono: inputs.now.mono });
      heard = next;
      if (errand !== undefined) errands.push(errand);
    }
    return heard;
  };
  const feed = ({ attempt: before, record: known }: ClientState, told: ClientEvent): ClientState => {
    const record = hear(known, tidings(told));
    const now = told.type === 'start' ? { ...told, known: record.known } : told;
    const [attempt, wanted] = statefulStep(before, now, inputsOf(record, inputs), rules);
    let next: ClientState = { attempt, record: hear(record, passages(before, attempt)) };
    const answers: ClientEvent[] = [];
    for (const effect of wanted) {
      if (isOfRecord(effect)) next = { ...next, record: hear(next.record, [asTidings(effect)]) };
      else if (effect.do === 'register-declare' && next.record.registerKnown)
        answers.push({ type: 'register-declared', channelId: effect.channelId, empty: false });
      else effects.push(effect);
    }
    for (const answer of answers) next = feed(next, answer);
    return next;
  };
  return { ...feed(state, event), effects, errands };
}

/**
 * Whether one answer will do for all attempts that ask at the same time: a thousand that open at once look, declare and
 * seed once. A decision to start over needs a look of its own; a purge is always its asker's own.
 */
export function isShared(what: ClientEffect['do'], { contender }: StatefulState): boolean {
  return what === 'look' ? contender.at === 'opening' : what !== 'purge';
}

function inputsOf(record: NameRecord, { now, ranLately, brokerMajor }: ClientInputs): Inputs {
  return {
    now,
    ranLately,
    highestSeen: record.highestSeen,
    justReleased: hasJustReleased(record, now.mono),
    queueEndedAt: record.queueEndedAt,
    ...recreation(brokerMajor),
  };
}

/** What the name hears of an event, before its attempt does. */
function tidings(event: ClientEvent): RecordEvent[] {
  if (event.type === 'start') return [{ type: 'joined' }];
  const isEnd = event.type === 'cancelled' || (event.type === 'closed' && event.absent === true);
  return isEnd ? [{ type: 'queue-ended' }] : [];
}

/** What an attempt's way from one state to the next means to its name. */
function passages({ contender: from }: StatefulState, { contender: to }: StatefulState): RecordEvent[] {
  const events: RecordEvent[] = [];
  if (isInLine(from) && !isInLine(to)) events.push({ type: 'left' });
  const wasOpen = from.at === 'closing' || from.at === 'releasing';
  if (wasOpen && to.at === 'released') events.push({ type: 'released' });
  if (!isInLine(from) && isInLine(to)) events.push({ type: 'joined' });
  return events;
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
