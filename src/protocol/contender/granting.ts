import { remaining } from '../instant.ts';
import { delay, keptUntil } from './delaying.ts';
import { type Answer, checkProof, countsApart, hasMark, notCounted, proven } from './proof.ts';
import { releaseAfterAnswer } from './releasing.ts';
import { after, leave, rejoin } from './transitions.ts';
import type { At, ContenderEvent, Effect, HeldToken, Inputs, Rules, Step } from './types.ts';

type Granting = At<'granting'>;

/** The token is here, but its delivery may be old: the caller gets the lease with the first proof. */
export function granting(state: Granting, event: ContenderEvent, inputs: Inputs, rules: Rules): Step {
  switch (event.type) {
    case 'delivered': {
      if (event.channelId !== state.channelId) return [state, []];
      const answer = checkProof(state.hold, event.delivery, state.asked, rules);
      // Another contender of this process may have seen a higher fence meanwhile: then this token is not the live one.
      const isHighest = inputs.highestSeen <= state.hold.fence;
      if (answer.verdict === 'proof' && isHighest && remaining(state.sentAt, rules.leaseMs, inputs.now) > 0) {
        if (rules.grant === 'verified' && answer.hold.nacked !== undefined && !hasMark(answer.hold, rules))
          return askToMark(state, answer, inputs);
        const until = keptUntil(state.isReplacement, answer.hold, state.traits, inputs, rules);
        if (until > inputs.now.mono) {
          const [next, effects] = delay(state, counted(state, answer), inputs, rules, until);
          return [next, [...answer.saw, ...effects]];
        }
        const { sentAt } = state;
        const grant = { do: 'grant', fence: state.hold.fence } as const;
        return [proven(state, answer, rules), [...answer.saw, grant, { do: 'proven', sentAt }]];
      }
      if (answer.verdict === 'not-counted') return leave(state, { why: 'failed', error: notCounted() });
      return after(answer.saw, rejoin(state, undefined, inputs));
    }
    case 'cancelled':
    case 'closed':
      return event.channelId === state.channelId ? rejoin(state, event, inputs) : [state, []];
    case 'wake':
      return remaining(state.sentAt, rules.leaseMs, inputs.now) > 0
        ? [state, []]
        : rejoin(state, undefined, inputs);
    case 'give-up':
      if (
        rules.grant !== 'verified' ||
        isKept(state, inputs, rules) ||
        !countsApart(state.hold, state.traits)
      )
        return leave(state, { why: 'gave-up' });
      return [
        releaseAfterAnswer(state, state.asked, inputs),
        [
          { do: 'refuse', refusal: { why: 'gave-up' } },
          { do: 'set-queue-known', known: false },
        ],
      ];
    case 'shutdown':
      return leave(state, { why: 'shutdown' });
    default:
      return [state, []];
  }
}

/** Its first proof would not be a grant: a contender that leaves before leaves the mark to the next. */
function isKept({ isReplacement, hold, traits }: Granting, inputs: Inputs, rules: Rules): boolean {
  return keptUntil(isReplacement, hold, traits, inputs, rules) > inputs.now.mono;
}

/** The token comes from a broker that counted nacks with everything else, and its mark fell out wrong. */
function askToMark(state: Granting, answer: Answer, { now }: Inputs): Step {
  const hold = counted(state, answer);
  const requeue: Effect = { do: 'requeue', channelId: state.channelId, deliveryTag: hold.deliveryTag };
  return [{ ...state, hold, asked: 'requeue', sentAt: now }, [...answer.saw, requeue]];
}

/** A hold that is granted later on, so its fence is that of the last return so far. */
const counted = (state: Granting, { hold, saw }: Answer): HeldToken => ({
  ...hold,
  fence: saw.at(-1)?.fence ?? state.hold.fence,
});
