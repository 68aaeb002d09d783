import { countsApart, questionOn } from './proof.ts';
import { unmark } from './releasing.ts';
import { leave, rejoin } from './transitions.ts';
import type { At, ContenderEvent, Effect, HeldToken, Inputs, Rules, Step } from './types.ts';

type Traits = At<'waiting'>['traits'];

/** By how much this process's clock may be faster than that of the holder before, over the length of a lease. */
export const DRIFT_MS = 250;

type Delaying = At<'delaying'>;

/**
 * The last holder did not release the token, or the token before it was destroyed, and that holder may not know yet.
 * Its last answered question was sent before the broker took its token back, which was before this delivery: one lease
 * from now on it believes no more. Counted on the monotonic clock, which stands still when the machine does, and cannot
 * be set.
 */
export function delay(
  { epoch, channelId, traits }: At<'waiting' | 'granting'>,
  hold: HeldToken,
  { now }: Inputs,
  { leaseMs, mode }: Rules,
  until = now.mono + leaseMs + DRIFT_MS,
): Step {
  // A try is told at once, but the delay is seen to its end: tries alone would never come to hold the lock again.
  const abandoned = mode === 'try';
  const tell: Effect[] = abandoned ? [{ do: 'refuse', refusal: { why: 'unavailable' } }] : [];
  return [{ at: 'delaying', epoch, channelId, traits, hold, until, abandoned }, tell];
}

/**
 * Until when the holder of a queue that is no more may believe, whatever the token of the new one says: somebody who did
 * not know the lock may have been granted it, and have released it, in between. Not where queues come and go by themselves.
 */
export function believedUntil(
  hold: HeldToken,
  traits: Traits,
  { queueEndedAt }: Inputs,
  { grant, expires, leaseMs }: Rules,
): number {
  const isAsked = grant === 'verified' && !expires && countsApart(hold, traits);
  return isAsked && queueEndedAt !== undefined ? queueEndedAt + leaseMs + DRIFT_MS : Number.NEGATIVE_INFINITY;
}

/** Until when a token must be kept after its first proof. In the past when it may be granted. */
export function keptUntil(
  isReplacement: boolean,
  hold: HeldToken,
  traits: Traits,
  inputs: Inputs,
  rules: Rules,
): number {
  const believed = believedUntil(hold, traits, inputs, rules);
  return isReplacement ? Math.max(believed, inputs.now.mono + rules.leaseMs + DRIFT_MS) : believed;
}

export function delaying(state: Delaying, event: ContenderEvent, inputs: Inputs, rules: Rules): Step {
  const { channelId, abandoned } = state;
  if ('channelId' in event && event.channelId !== channelId) return [state, []];
  switch (event.type) {
    case 'wake': {
      const until = Math.max(state.until, believedUntil(state.hold, state.traits, inputs, rules));
      if (inputs.now.mono < until) return [until === state.until ? state : { ...state, until }, []];
      // Nobody believes any more, and if the broker has taken the token back this says nothing.
      if (abandoned) return unmark(state, state.hold, []);
      const { epoch, traits, hold } = state;
      const asked = questionOn(hold, traits);
      return [
        { at: 'granting', epoch, channelId, traits, hold, asked, sentAt: inputs.now, isReplacement: false },
        [{ do: asked, channelId, deliveryTag: hold.deliveryTag }],
      ];
    }
    // Nobody asked for it: the broker had taken the token back. What it is now is for a fresh place to find out.
    case 'delivered':
      return rejoin(state, undefined, inputs);
    case 'cancelled':
    case 'closed':
      return rejoin(state, event, inputs);
    case 'give-up':
      if (abandoned) return [state, []];
      return [{ ...state, abandoned: true }, [{ do: 'refuse', refusal: { why: 'gave-up' } }]];
    case 'shutdown':
      return leave(state, { why: 'shutdown' }, abandoned);
    default:
      return [state, []];
  }
}
