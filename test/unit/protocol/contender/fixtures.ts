import { AccessRefusedError, type BatonError, BrokerUnreachableError } from '../../../../src/errors.ts';
import { step } from '../../../../src/protocol/contender/step.ts';
import type {
  At,
  ContenderEvent,
  ContenderState,
  Effect,
  HeldToken,
  Inputs,
  Rules,
  Step,
} from '../../../../src/protocol/contender/types.ts';
import type { Instant } from '../../../../src/protocol/instant.ts';
import type { Delivery } from '../../../../src/protocol/port.ts';
import type { Recreation } from '../../../../src/protocol/queues.ts';
import { encodeProbe, encodeToken, type Token } from '../../../../src/protocol/token.ts';

export const NOW: Instant = { mono: 100_000, wall: 1_800_000_000_000 };
export const RULES: Rules = {
  name: 'jobs',
  mode: 'wait',
  grant: 'auto',
  leaseMs: 15_000,
  verifyEveryMs: 5_000,
};
export const TRY: Rules = { ...RULES, mode: 'try' };
export const V4_3 = { version: [4, 3, 6] } as const;
export const V4_0 = { version: [4, 0, 5] } as const;
export const V3_10 = { version: [3, 10, 8] } as const;
/** What is to be minded on RabbitMQ 4, which everything here is on unless told otherwise, and on 3. */
export const ON_4: Recreation = { recreateAfterMs: 50, looksFirst: false };
export const ON_3: Recreation = { recreateAfterMs: 100, looksFirst: true };
export const TOKEN: Token = {
  id: '0190a1b2-0000-7000-8000-00000000000a',
  name: 'jobs',
  base: 1_000n,
  fencesPerReturn: 1,
  by: 'svc@host/1',
  at: NOW.wall - 1_000,
};
export const OTHER_ID = '0190a1b2-0000-7000-8000-00000000000b';
export const HOLD: HeldToken = {
  id: TOKEN.id,
  base: TOKEN.base,
  fencesPerReturn: 1,
  body: encodeToken(TOKEN),
  returns: 2,
  nacked: undefined,
  deliveryTag: 1,
  fence: 1_002n,
};
export const LINE = 7;

export const retryable: BatonError = new BrokerUnreachableError('not now');
export const permanent: BatonError = new AccessRefusedError('never');

/** The same moment later on both clocks, or on each by its own amount. */
export function later(monoMs: number, wallMs = monoMs): Instant {
  return { mono: NOW.mono + monoMs, wall: NOW.wall + wallMs };
}

export function inputs(changes: Partial<Inputs> = {}): Inputs {
  return {
    now: NOW,
    highestSeen: 0n,
    ranLately: true,
    justReleased: false,
    queueEndedAt: undefined,
    ...ON_4,
    ...changes,
  };
}

export function tokenBody(changes: Partial<Token> = {}): Uint8Array {
  return encodeToken({ ...TOKEN, ...changes });
}

export const probeBody = encodeProbe({ id: OTHER_ID, name: 'jobs', by: 'x', at: NOW.wall });
export const newerBody = Buffer.from(JSON.stringify({ v: 2, kind: 'token', anything: true }));
export const junkBody = Buffer.from([0xff, 0xfe, 0x00]);

export function delivery(
  returns: number,
  body = tokenBody(),
  deliveryTag = 2,
  nacked: number | undefined = undefined,
): Delivery {
  return { deliveryTag, body, returns, nacked };
}

/** The token as 4.3 counts it: how often in all, and how often by a nack. */
export function counted(returns: number, nacked: number, deliveryTag = 2): ContenderEvent {
  return {
    type: 'delivered',
    channelId: LINE,
    delivery: delivery(returns, tokenBody(), deliveryTag, nacked),
  };
}

export function delivered(returns: number, body = tokenBody(), channelId = LINE): ContenderEvent {
  return { type: 'delivered', channelId, delivery: delivery(returns, body) };
}

type Phase = At<'opening'>['phase'];

export function opening(phase: Phase, changes: Partial<At<'opening'>> = {}): At<'opening'> {
  const channelId = phase === 'consuming' ? LINE : undefined;
  const until = phase === 'resting' ? NOW.mono + 100 : undefined;
  return {
    at: 'opening',
    epoch: LINE,
    phase,
    channelId,
    until,
    next: phase === 'resting' ? 'find' : undefined,
    failures: 0,
    refused: undefined,
    unchecked: false,
    seenHeldAt: undefined,
    ...changes,
  };
}

export function waiting(changes: Partial<At<'waiting'>> = {}): At<'waiting'> {
  return {
    at: 'waiting',
    epoch: LINE,
    channelId: LINE,
    traits: V4_3,
    until: undefined,
    foreign: undefined,
    graceUntil: undefined,
    foreignCount: 0,
    abandoned: false,
    ...changes,
  };
}

/** A contender that was handed a foreign message, and the look that this caused is call LINE + 1. */
export function inspectingForeign(changes: Partial<At<'waiting'>> = {}): At<'waiting'> {
  const foreign = { deliveryTag: 2, call: LINE + 1, lookAt: undefined };
  return waiting({ epoch: LINE + 1, foreign, foreignCount: 1, ...changes });
}

export function granting(changes: Partial<At<'granting'>> = {}): At<'granting'> {
  return {
    at: 'granting',
    epoch: LINE,
    channelId: LINE,
    traits: V4_3,
    hold: HOLD,
    asked: 'requeue',
    sentAt: NOW,
    isReplacement: false,
    ...changes,
  };
}

/** A contender with verified grants that was handed a token whose holder did not release it. */
export function delaying(changes: Partial<At<'delaying'>> = {}): At<'delaying'> {
  const until = NOW.mono + RULES.leaseMs + 250;
  const hold = { ...HOLD, nacked: 1 };
  return {
    at: 'delaying',
    epoch: LINE,
    channelId: LINE,
    traits: V4_3,
    hold,
    until,
    abandoned: false,
    ...changes,
  };
}

/** A contender that has released, and awaits the answer to its last question. */
export function releasing(changes: Partial<At<'releasing'>> = {}): At<'releasing'> {
  const hold = { ...HOLD, nacked: 1 };
  return {
    at: 'releasing',
    epoch: LINE + 1,
    channelId: LINE,
    traits: V4_3,
    hold,
    asked: 'reject',
    until: NOW.mono + 250,
    ...changes,
  };
}

export function held(changes: Partial<At<'held'>> = {}): At<'held'> {
  const verifyAt = NOW.mono + RULES.verifyEveryMs;
  return {
    at: 'held',
    epoch: LINE,
    channelId: LINE,
    traits: V4_3,
    hold: HOLD,
    provenAt: NOW,
    verifyAt,
    ...changes,
  };
}

export function verifying(changes: Partial<At<'verifying'>> = {}): At<'verifying'> {
  return {
    at: 'verifying',
    epoch: LINE,
    channelId: LINE,
    traits: V4_3,
    hold: HOLD,
    provenAt: NOW,
    sentAt: NOW,
    again: false,
    cancelledUntil: undefined,
    ...changes,
  };
}

export const closing = (): At<'closing'> => ({ at: 'closing', epoch: LINE + 1, channelId: LINE });

/** The active consumer, who puts a new token in the place of what it has in hand; its call is LINE + 1. */
export function replacing(
  phase: At<'replacing'>['phase'],
  changes: Partial<At<'replacing'>> = {},
): At<'replacing'> {
  return {
    at: 'replacing',
    epoch: LINE + 1,
    channelId: LINE,
    traits: V4_3,
    deliveryTag: 2,
    phase,
    crowded: false,
    surfaced: undefined,
    until: NOW.mono + 5_000,
    owedUntil: undefined,
    rounds: 0,
    rejoins: false,
    releases: false,
    abandoned: false,
    ...changes,
  };
}

/** A fresh contender that has come as far as waiting in line, with the number of its line. */
export function inLine(
  rules: Rules = RULES,
  traits: { version: [number, number, number] } | typeof V4_3 = V4_3,
) {
  const [state, effects] = run({ at: 'idle', epoch: 0 }, rules, [
    [{ type: 'start', known: true }, {}],
    [{ type: 'consuming', channelId: 1, traits }, {}],
  ]);
  return { state, effects, channelId: 1 };
}

/** Feeds events in order and gathers what was to be done. */
export function run(
  from: ContenderState,
  rules: Rules,
  script: readonly (readonly [ContenderEvent, Partial<Inputs>])[],
): Step {
  let state = from;
  const all: Effect[] = [];
  for (const [event, changes] of script) {
    const [next, effects] = step(state, event, inputs(changes), rules);
    state = next;
    all.push(...effects);
  }
  return [state, all];
}

/** One step from `state`, at NOW unless told otherwise. */
export function feed(
  state: ContenderState,
  event: ContenderEvent,
  changes: Partial<Inputs> = {},
  rules: Rules = RULES,
): Step {
  return step(state, event, inputs(changes), rules);
}

/** The effects' names in order, e.g. `close look`. */
export function names(effects: readonly Effect[]): string {
  return effects.map((effect) => effect.do).join(' ');
}

/** A state as one word, e.g. `opening/looking`, `waiting+foreign message+abandoned`. */
export function place(state: ContenderState): string {
  switch (state.at) {
    case 'opening':
      return `opening/${state.phase}`;
    case 'replacing':
      return `replacing/${state.phase}${state.owedUntil === undefined ? '' : '+owed'}${state.abandoned ? '+abandoned' : ''}`;
    case 'waiting':
      return `waiting${state.foreign ? '+foreign' : ''}${state.abandoned ? '+abandoned' : ''}`;
    case 'delaying':
      return `delaying${state.abandoned ? '+abandoned' : ''}`;
    case 'verifying':
      return `verifying${state.cancelledUntil === undefined ? '' : '+cancelled'}${state.again ? '+again' : ''}`;
    case 'lost':
      return `lost/${state.reason}`;
    default:
      return state.at;
  }
}
