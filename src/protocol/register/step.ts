import { lose, unmarkingOf } from '../contender/holding.ts';
import { replaceToken } from '../contender/replace-token.ts';
import { IDLE, step, wakeAt } from '../contender/step.ts';
import { consume, recreate, rejoin, rest } from '../contender/transitions.ts';
import type {
  ContenderEvent,
  ContenderState,
  Effect,
  HeldState,
  Inputs,
  Refusal,
  Rules,
  Step,
  VerifyingState,
} from '../contender/types.ts';
import { cleared, keeping, suspect, wakeKeeping } from './keeping.ts';
import type { RegisterStep } from './outcome.ts';
import { declare, declaring, reading, wakeReading } from './reading.ts';
import type { RegisterEffect, RegisterEvent, RegisterState } from './types.ts';

/**
 * A contender, and the register of the hold that it has. The contender's protocol is not changed by it: it holds and
 * verifies the token while the register is read, and its `grant` is kept back until then. A hold that ends before was
 * told to nobody, so it is not lost: the contender takes a fresh place in line.
 */
export interface StatefulState {
  readonly contender: ContenderState;
  /** From the contender's grant on. */
  readonly register: RegisterState | undefined;
}

export type StatefulEvent = ContenderEvent | RegisterEvent;
export type StatefulEffect = Effect | RegisterEffect;
export type StatefulStep = readonly [StatefulState, readonly StatefulEffect[]];

type Holding = HeldState | VerifyingState;

export const STATEFUL_IDLE: StatefulState = { contender: IDLE, register: undefined };

/** The protocol of a contender with or without state: a state and an event give the next state and what to do. */
export function statefulStep(
  state: StatefulState,
  event: StatefulEvent,
  inputs: Inputs,
  rules: Rules,
): StatefulStep {
  if (isOfRegister(event)) {
    if (state.register === undefined) return [state, []];
    if ('channelId' in event && event.channelId !== state.register.place.channelId) return [state, []];
    // A lease that is over ends at any event, before that is looked at.
    const [checked, effects] = ofContender(state, { type: 'wake' }, inputs, rules);
    if (checked.register === undefined) return [checked, effects];
    const outcome = ofRegister(checked.register, event, inputs, rules);
    return after(effects, carry(checked, outcome, inputs, rules));
  }
  if (isWithheld(state) && event.type === 'closed' && event.channelId === state.register?.place.channelId) {
    return closedWhileReading(state, event, inputs);
  }
  if (isWithheld(state) && (event.type === 'give-up' || event.type === 'shutdown')) {
    return withdraw(state, { why: event.type === 'give-up' ? 'gave-up' : 'shutdown' }, inputs, rules);
  }
  const next = ofContender(state, event, inputs, rules);
  const { register } = next[0];
  if (event.type !== 'wake' || register === undefined) return next;
  const nowMono = inputs.now.mono;
  const outcome = register.at === 'kept' ? wakeKeeping(register, nowMono) : wakeReading(register, nowMono);
  return after(next[1], carry(next[0], outcome, inputs, rules));
}

/** When time alone can change this state: the monotonic instant of the next `wake`, or undefined. */
export function statefulWakeAt({ contender, register }: StatefulState, rules: Rules): number | undefined {
  const times = [wakeAt(contender, rules), registerWakeAt(register)].filter((at) => at !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** The hold has the token, but its caller has not been told: the register is being read. */
export function isWithheld({ contender, register }: StatefulState): boolean {
  return isHolding(contender) && register !== undefined && !(register.at === 'kept' && register.proofs === 0);
}

function registerWakeAt(register: RegisterState | undefined): number | undefined {
  switch (register?.at) {
    case 'declaring':
      return register.askAt;
    case 'reading':
      return register.actAt;
    case 'kept':
      return register.refreshAt;
    default:
      return undefined;
  }
}

const begin = ({ channelId, hold }: Holding): RegisterStep => declare({ channelId, fence: hold.fence });

const isHolding = (state: ContenderState): state is Holding =>
  state.at === 'held' || state.at === 'verifying';

function isOfRegister(event: StatefulEvent): event is RegisterEvent {
  return event.type === 'save' || event.type.startsWith('register-');
}

function ofRegister(
  register: RegisterState,
  event: RegisterEvent,
  inputs: Inputs,
  rules: Rules,
): RegisterStep {
  const nowMono = inputs.now.mono;
  switch (register.at) {
    case 'declaring':
      return declaring(register, event, nowMono);
    case 'reading':
      return reading(register, event, nowMono, rules.name);
    case 'overtaken':
      return { state: register, effects: [] };
    case 'kept':
      return keeping(register, event, rules.name);
  }
}

/** What the contender does with an event, its grant kept back and its untold losses turned into a fresh place. */
function ofContender(
  state: StatefulState,
  event: ContenderEvent,
  inputs: Inputs,
  rules: Rules,
): StatefulStep {
  const [contender, done] = step(state.contender, event, inputs, rules);
  const effects: StatefulEffect[] = [];
  let register = isHolding(contender) ? state.register : undefined;
  let again: Step | undefined;
  for (const effect of done) {
    if (effect.do === 'grant') {
      const outcome = rules.carriesState && isHolding(contender) ? begin(contender) : undefined;
      register = outcome?.state;
      effects.push(...(outcome?.effects ?? [effect]));
    } else if (effect.do === 'lost' && isWithheld(state)) {
      const isGone = effect.reason === 'queue-deleted' || effect.reason === 'consumer-cancelled';
      if (contender.at === 'replacing') again = [{ ...contender, rejoins: true, abandoned: false }, []];
      else again = isGone ? recreate(contender, inputs) : consume(contender);
    } else {
      effects.push(effect);
      if (effect.do !== 'proven' || register === undefined) continue;
      const outcome: RegisterStep =
        register.at === 'kept' ? cleared(register) : { state: register, effects: [] };
      effects.push(...outcome.effects);
      register = oneProofLess(outcome.state);
    }
  }
  const next: StatefulState = { contender, register };
  if (again === undefined) return isWithheld(state) ? after(effects, proven(next, inputs)) : [next, effects];
  return after(effects, untold(again));
}

/** What a step of the register means for the hold. */
function carry(state: StatefulState, outcome: RegisterStep, inputs: Inputs, rules: Rules): StatefulStep {
  const { contender } = state;
  const { effects, verdict } = outcome;
  const next: StatefulState = { contender, register: outcome.state };
  if (verdict === undefined || !isHolding(contender)) return [next, effects];
  switch (verdict.is) {
    case 'read': {
      if (!awaitsProofs(outcome.state)) return [next, effects];
      const awaited = { ...outcome.state, proofs: proofsFrom(contender) };
      return after(effects, ofContender({ contender, register: awaited }, { type: 'verify' }, inputs, rules));
    }
    case 'suspect': {
      if (outcome.state.at !== 'kept') return [next, effects];
      const register = suspect(outcome.state, verdict.deliveryTag, proofsFrom(contender));
      return after(effects, ofContender({ contender, register }, { type: 'verify' }, inputs, rules));
    }
    case 'void':
      return after(
        [...effects, ...unmarkingOf(contender, rules), { do: 'close', channelId: contender.channelId }],
        untold(rest({ epoch: contender.epoch }, inputs)),
      );
    case 'refused':
      return after(effects, withdraw(next, { why: 'failed', error: verdict.error }, inputs, rules));
    case 'forfeit':
      if (isWithheld(state)) {
        const closes: StatefulEffect = { do: 'close', channelId: contender.channelId };
        return after([...effects, ...unmarkingOf(contender, rules), closes], untold(consume(contender)));
      }
      return after(effects, untold(lose(contender, verdict.reason, verdict.cause)));
  }
}

/** How many proofs it takes to have the answer to a question that is sent from now on. */
const proofsFrom = ({ at }: Holding): number => (at === 'verifying' ? 2 : 1);

type Awaiting = Extract<RegisterState, { proofs: number }>;

const awaitsProofs = (register: RegisterState): register is Awaiting => 'proofs' in register;

function oneProofLess(register: RegisterState): RegisterState {
  if (!awaitsProofs(register) || register.proofs === 0) return register;
  return { ...register, proofs: register.proofs - 1 };
}

/** The register has been read, and the token was still there afterwards: nobody else can have been granted before. */
function proven(state: StatefulState, inputs: Inputs): StatefulStep {
  const { contender, register } = state;
  if (!isHolding(contender) || register === undefined || !awaitsProofs(register) || register.proofs > 0)
    return [state, []];
  // With a question under way the token is not in hand: its answer comes here again.
  if (register.at === 'overtaken')
    return contender.at === 'held' ? startOver(contender, inputs) : [state, []];
  const { state: value } = register.kept.entry;
  const handed = { state: value, minted: value === undefined };
  return [state, [{ do: 'grant', fence: contender.hold.fence, handed }]];
}

/** The channel has gone, with the token and the register. Nobody was told of the hold. */
function closedWhileReading(
  { contender, register }: StatefulState,
  event: Extract<ContenderEvent, { type: 'closed' }>,
  inputs: Inputs,
): StatefulStep {
  const refused = register?.at === 'reading' && event.absent ? register.refused : undefined;
  const error = refused ?? event.error;
  const isOfChannel = event.scope === 'channel' && error !== undefined;
  const place = { epoch: contender.epoch, channelId: event.channelId };
  return after(
    isOfChannel ? [{ do: 'register-forget' }] : [],
    untold(rejoin(place, { ...event, error }, inputs)),
  );
}

/** The caller is told to go; the token is given back as with any release. */
function withdraw(
  { contender }: StatefulState,
  refusal: Refusal,
  inputs: Inputs,
  rules: Rules,
): StatefulStep {
  const [next, effects] = step(contender, { type: 'release' }, inputs, rules);
  const told: StatefulEffect = { do: 'refuse', refusal };
  if (next.at !== 'lost') return [{ contender: next, register: undefined }, [told, ...effects]];
  const released: ContenderState = { at: 'released', epoch: next.epoch };
  const closes = effects.filter((effect) => effect.do !== 'lost');
  return [{ contender: released, register: undefined }, [told, ...closes, { do: 'end' }]];
}

/**
 * The register knows a fence that is not below that of the proven live token: a client whose clock was behind replaced
 * the token. Every save of this hold would be outranked, so the holder replaces the token again, above that fence.
 */
function startOver(contender: HeldState, inputs: Inputs): StatefulStep {
  return untold(replaceToken(contender, contender.hold.deliveryTag, inputs, { rejoins: true }));
}

/** Why a purge is asked for; undefined when it was begun before, and has to be begun again. */
export function whyStartOver(
  { register }: StatefulState,
  { contender }: StatefulState,
): 'no-live-token' | 'state-ahead' | 'long-log' | undefined {
  if (contender.at !== 'replacing' || contender.rounds > 0) return undefined;
  if (contender.releases) return 'long-log';
  return register?.at === 'overtaken' ? 'state-ahead' : 'no-live-token';
}

const untold = ([contender, effects]: Step): StatefulStep => [{ contender, register: undefined }, effects];

const after = (effects: readonly StatefulEffect[], [state, more]: StatefulStep): StatefulStep => [
  state,
  [...effects, ...more],
];
