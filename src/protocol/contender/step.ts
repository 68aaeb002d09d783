import { delaying, parting } from './delaying.ts';
import { granting, holding, remainingMs } from './holding.ts';
import { ask, consume, find, opening } from './opening.ts';
import type { At, ContenderEvent, ContenderState, Rules, Step, Surroundings } from './types.ts';
import { waiting } from './waiting.ts';

export const IDLE: ContenderState = { at: 'idle', turn: 0 };

/** The whole protocol of one contender: a state and an event give the next state and what to do. No I/O, no clock. */
export function step(state: ContenderState, event: ContenderEvent, around: Surroundings, rules: Rules): Step {
  switch (state.at) {
    case 'idle':
      if (event.type !== 'start') return [state, []];
      if (!event.known) return find(state, around);
      return rules.mode === 'try' ? ask('look', state) : consume(state);
    case 'opening':
      return opening(state, event, around, rules.mode);
    case 'waiting':
      return waiting(state, event, around, rules);
    case 'granting':
      return granting(state, event, around, rules);
    case 'delaying':
      return delaying(state, event, around);
    case 'held':
    case 'verifying':
      return holding(state, event, around, rules);
    case 'parting':
      return parting(state, event, around, rules);
    case 'closing':
      return closing(state, event, around);
    case 'released':
    case 'lost':
      return [state, []];
  }
}

/** When time alone can change this state: the monotonic instant of the next `wake`, or undefined. */
export function wakeAt(state: ContenderState, rules: Rules): number | undefined {
  switch (state.at) {
    case 'opening':
    case 'delaying':
    case 'parting':
    case 'closing':
      return state.until;
    case 'waiting': {
      const { stray, abandoned, until } = state;
      return earliest(stray?.lookAt, stray === undefined || !abandoned ? until : undefined);
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

/** How long the hold can still be vouched for without a further answer, in milliseconds. 0 when it is not held. */
export function vouchedMs(state: ContenderState, rules: Rules, now: Surroundings['now']): number {
  return state.at === 'held' || state.at === 'verifying' ? remainingMs(state, rules, now) : 0;
}

function closing(state: At<'closing'>, event: ContenderEvent, { now, recreateAfterMs }: Surroundings): Step {
  const done: Step = [{ at: 'released', turn: state.turn }, [{ do: 'end' }]];
  if (event.type === 'closed' && event.line === state.line) {
    // While the queue is being removed, a channel that dies has put the token back: that is a release as well.
    return state.phase === 'channel' || state.phase === 'removing' ? done : [state, []];
  }
  // From the removal on nothing of this contender is at the broker; what is left is a favour to the next one.
  if (event.type === 'shutdown' && state.phase === 'removing') return closeChannel(state);
  if (event.type === 'shutdown' && state.phase !== 'channel') return done;
  if (event.type === 'call-failed' && event.call === state.turn && state.phase !== 'channel') {
    // Without the right to delete, the ordinary release; once it is deleted, whoever comes next makes it anew.
    return state.phase === 'removing' ? closeChannel(state) : done;
  }
  if (event.type === 'removed' && event.call === state.turn && state.phase === 'removing') {
    const [next, effects] = declareAt(state, now.mono + recreateAfterMs, now.mono);
    return [next, [{ do: 'close', line: state.line }, ...effects]];
  }
  if (event.type === 'wake' && state.until !== undefined) return declareAt(state, state.until, now.mono);
  if (event.type === 'declared' && event.call === state.turn && state.phase === 'declaring') {
    if (event.depth.ready > 0 || event.depth.consumers > 0) return done;
    const turn = state.turn + 1;
    return [{ ...state, turn, phase: 'seeding' }, [{ do: 'seed', call: turn }]];
  }
  if (event.type === 'seeded' && event.call === state.turn && state.phase === 'seeding') return done;
  return [state, []];
}

function declareAt(state: At<'closing'>, until: number, nowMono: number): Step {
  if (nowMono < until) return [{ ...state, phase: 'pausing', until }, []];
  const turn = state.turn + 1;
  return [{ ...state, turn, phase: 'declaring', until: undefined }, [{ do: 'declare', call: turn }]];
}

function closeChannel(state: At<'closing'>): Step {
  return [{ ...state, phase: 'channel' }, [{ do: 'close', line: state.line }]];
}

function earliest(...times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
