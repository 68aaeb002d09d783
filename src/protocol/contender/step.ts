import { remainingMs } from './holding.ts';
import { opening } from './opening.ts';
import { replacing } from './replacing.ts';
import { surfacing } from './surfacing.ts';
import { ask, consume, find } from './transitions.ts';
import type { At, ContenderEvent, ContenderState, Inputs, Rules, Step } from './types.ts';
import { waiting } from './waiting.ts';

export const IDLE: ContenderState = { at: 'idle', epoch: 0 };

/** The whole protocol of one contender: a state and an event give the next state and what to do. No I/O, no clock. */
export function step(state: ContenderState, event: ContenderEvent, inputs: Inputs, rules: Rules): Step {
  switch (state.at) {
    case 'idle':
      if (event.type !== 'start') return [state, []];
      if (!event.known) return find(state, inputs);
      return rules.mode === 'try' ? ask('look', state) : consume(state);
    case 'opening':
      return opening(state, event, inputs, rules.mode);
    case 'waiting':
      return waiting(state, event, inputs, rules);
    case 'replacing':
      return replacing(state, event, inputs, rules);
    case 'granting':
    case 'delaying':
    case 'held':
    case 'verifying':
    case 'releasing':
      return surfacing(state, event, inputs, rules);
    case 'closing':
      return closing(state, event);
    case 'released':
    case 'lost':
      return [state, []];
  }
}

/** When time alone can change this state: the monotonic instant of the next `wake`, or undefined. */
export function wakeAt(state: ContenderState, rules: Rules): number | undefined {
  switch (state.at) {
    case 'opening':
    case 'replacing':
    case 'delaying':
    case 'releasing':
      return state.until;
    case 'waiting': {
      const { foreign, abandoned, until } = state;
      return earliest(foreign?.lookAt, foreign === undefined || !abandoned ? until : undefined);
    }
    case 'granting':
      return state.sentAt.mono + rules.leaseMs;
    case 'held':
      return earliest(state.verifyAt, state.provenAt.mono + rules.leaseMs);
    case 'verifying':
      return earliest(state.cancelledUntil, state.provenAt.mono + rules.leaseMs);
    default:
      return undefined;
  }
}

/** Whether this contender waits for a token that may not exist. */
export const isInLine = (state: ContenderState): boolean =>
  ['idle', 'opening', 'waiting'].includes(state.at) || (state.at === 'replacing' && !state.abandoned);

/**
 * Whether the broker has answered that somebody else has the lock, or may believe so: it is in line, a look has shown the
 * holder, or it waits out a lease. What was seen before a connection was lost does not count.
 */
export const isBehindHolder = (state: ContenderState): boolean =>
  state.at === 'waiting' ||
  state.at === 'delaying' ||
  (state.at === 'opening' && state.seenHeldAt !== undefined);

/** How long the hold can still be vouched for without a further answer, in milliseconds. 0 when it is not held. */
export function vouchedMs(state: ContenderState, rules: Rules, now: Inputs['now']): number {
  return state.at === 'held' || state.at === 'verifying' ? remainingMs(state, rules, now) : 0;
}

function closing(state: At<'closing'>, event: ContenderEvent): Step {
  if (event.type !== 'closed' || event.channelId !== state.channelId) return [state, []];
  return [{ at: 'released', epoch: state.epoch }, [{ do: 'end' }]];
}

function earliest(...times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
