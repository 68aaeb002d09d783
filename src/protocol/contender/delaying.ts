import { consume, leave, recreate } from './opening.ts';
import { countsApart, isMarked, judge, questionOn } from './proof.ts';
import type {
  At,
  ContenderEvent,
  ContenderState,
  Effect,
  Hold,
  Question,
  Rules,
  Step,
  Surroundings,
} from './types.ts';

type Traits = At<'waiting'>['traits'];

/** By how much this process's clock may be faster than that of the holder before, over the length of a lease. */
const DRIFT_MS = 250;
/** How long an answer is awaited for the sake of the next holder, who waits for a lease without it. */
const ANSWER_MS = 250;

type Delaying = At<'delaying'>;
type Parting = At<'parting'>;

/** Where a contender has the token. */
interface Place {
  readonly turn: number;
  readonly line: number;
}

/**
 * The last holder did not release the token, or the token before it was destroyed, and that holder may not know yet.
 * Its last answered question was sent before the broker took its token back, which was before this delivery: one lease
 * from now on it believes no more. Counted on the monotonic clock, which stands still when the machine does, and cannot
 * be set.
 */
export function delay(
  { turn, line, traits }: At<'waiting' | 'granting'>,
  hold: Hold,
  { now }: Surroundings,
  { leaseMs, mode }: Rules,
  until = now.mono + leaseMs + DRIFT_MS,
): Step {
  // A try is told at once, but the delay is seen to its end: tries alone would never come to hold the lock again.
  const abandoned = mode === 'try';
  const tell: Effect[] = abandoned ? [{ do: 'refuse', refusal: { why: 'unavailable' } }] : [];
  return [{ at: 'delaying', turn, line, traits, hold, until, abandoned }, tell];
}

/**
 * Until when the holder of a queue that is no more may believe, whatever the token of the new one says: somebody who did
 * not know the lock may have been granted it, and have released it, in between. Not where queues come and go by themselves.
 */
export function believedUntil(
  hold: Hold,
  traits: Traits,
  { queueEndedAt }: Surroundings,
  { grant, expires, leaseMs }: Rules,
): number {
  const isAsked = grant === 'verified' && !expires && countsApart(hold, traits);
  return isAsked && queueEndedAt !== undefined ? queueEndedAt + leaseMs + DRIFT_MS : Number.NEGATIVE_INFINITY;
}

/** Until when a token must be kept after its first proof. In the past when it may be granted. */
export function keptUntil(
  isAnew: boolean,
  hold: Hold,
  traits: Traits,
  around: Surroundings,
  rules: Rules,
): number {
  const believed = believedUntil(hold, traits, around, rules);
  return isAnew ? Math.max(believed, around.now.mono + rules.leaseMs + DRIFT_MS) : believed;
}

export function delaying(state: Delaying, event: ContenderEvent, around: Surroundings, rules: Rules): Step {
  const { line, abandoned } = state;
  if ('line' in event && event.line !== line) return [state, []];
  switch (event.type) {
    case 'wake': {
      const until = Math.max(state.until, believedUntil(state.hold, state.traits, around, rules));
      if (around.now.mono < until) return [until === state.until ? state : { ...state, until }, []];
      // Nobody believes any more, and if the broker has taken the token back this says nothing.
      if (abandoned) return unmark(state, state.hold, []);
      const { turn, traits, hold } = state;
      const asked = questionOn(hold, traits);
      return [
        { at: 'granting', turn, line, traits, hold, asked, sentAt: around.now, isAnew: false },
        [{ do: asked, line, deliveryTag: hold.deliveryTag }],
      ];
    }
    // Nobody asked for it: the broker had taken the token back. What it is now is for a fresh place to find out.
    case 'delivered': {
      if (abandoned) return leave(state, { why: 'gave-up' }, true);
      const [next, effects] = consume(state);
      return [next, [{ do: 'close', line }, ...effects]];
    }
    case 'cancelled': {
      if (abandoned) return leave(state, { why: 'gave-up' }, true);
      const [next, effects] = recreate({ turn: state.turn }, around);
      return [next, [{ do: 'know', known: false }, { do: 'close', line }, ...effects]];
    }
    case 'closed':
      return abandoned ? [{ at: 'released', turn: state.turn }, [{ do: 'end' }]] : consume(state);
    case 'give-up':
      if (abandoned) return [state, []];
      return [{ ...state, abandoned: true }, [{ do: 'refuse', refusal: { why: 'gave-up' } }]];
    case 'shutdown':
      return leave(state, { why: 'shutdown' }, abandoned);
    default:
      return [state, []];
  }
}

/**
 * The lease is over, or there will be none, while a question is under way: only its answer has the delivery tag by which
 * the mark can be taken away.
 */
export function part(
  { turn, line, traits, hold }: Place & { hold: Hold; traits: Traits },
  asked: Question,
  { now }: Surroundings,
): ContenderState {
  return { at: 'parting', turn: turn + 1, line, traits, hold, asked, until: now.mono + ANSWER_MS };
}

export function parting(state: Parting, event: ContenderEvent, { now }: Surroundings, rules: Rules): Step {
  if ('line' in event && event.line !== state.line) return [state, []];
  switch (event.type) {
    case 'delivered': {
      const { verdict, hold, saw } = judge(state.hold, event.delivery, state.asked, rules);
      return verdict === 'proof' ? unmark(state, hold, saw) : closeLine(state, saw);
    }
    case 'wake':
      return now.mono < state.until ? [state, []] : closeLine(state);
    case 'cancelled':
    case 'shutdown':
      return closeLine(state);
    case 'closed':
      return [{ at: 'released', turn: state.turn }, [{ do: 'end' }]];
    default:
      return [state, []];
  }
}

/** Gives the token back for whoever is next to take at once: nobody can believe in a lease of it. */
function unmark(place: Place, hold: Hold, saw: readonly Effect[]): Step {
  return closeLine(place, [...saw, ...unmarking(place, hold)]);
}

/** basic.nack right before the close: applied by the broker only while the token is still this consumer's. */
export function unmarking({ line }: Place, { nacked, deliveryTag }: Hold): readonly Effect[] {
  return isMarked(nacked) ? [{ do: 'requeue', line, deliveryTag }] : [];
}

function closeLine({ turn, line }: Place, effects: readonly Effect[] = []): Step {
  return [{ at: 'closing', turn, line }, [...effects, { do: 'close', line }]];
}
