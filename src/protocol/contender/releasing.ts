import { checkProof, isMarked } from './proof.ts';
import type {
  At,
  ContenderEvent,
  ContenderState,
  Effect,
  HeldToken,
  Inputs,
  Question,
  Rules,
  Step,
} from './types.ts';

/** How long an answer is awaited for the sake of the next holder, who waits for a lease without it. */
const ANSWER_MS = 250;

type Traits = At<'waiting'>['traits'];
type Releasing = At<'releasing'>;

/** Where a contender has the token. */
export interface TokenPlace {
  readonly epoch: number;
  readonly channelId: number;
}

/**
 * The lease is over, or there will be none, while a question is under way: only its answer has the delivery tag by which
 * the mark can be taken away.
 */
export function releaseAfterAnswer(
  { epoch, channelId, traits, hold }: TokenPlace & { hold: HeldToken; traits: Traits },
  asked: Question,
  { now }: Inputs,
): ContenderState {
  return { at: 'releasing', epoch: epoch + 1, channelId, traits, hold, asked, until: now.mono + ANSWER_MS };
}

export function releasing(state: Releasing, event: ContenderEvent, { now }: Inputs, rules: Rules): Step {
  if ('channelId' in event && event.channelId !== state.channelId) return [state, []];
  switch (event.type) {
    case 'delivered': {
      const { verdict, hold, saw } = checkProof(state.hold, event.delivery, state.asked, rules);
      return verdict === 'proof' ? unmark(state, hold, saw) : closeChannel(state, saw);
    }
    case 'wake':
      return now.mono < state.until ? [state, []] : closeChannel(state);
    case 'cancelled':
    case 'shutdown':
      return closeChannel(state);
    case 'closed':
      return [{ at: 'released', epoch: state.epoch }, [{ do: 'end' }]];
    default:
      return [state, []];
  }
}

/** Gives the token back so that the next client can take it at once: nobody can believe in a lease of it. */
export function unmark(place: TokenPlace, hold: HeldToken, saw: readonly Effect[]): Step {
  return closeChannel(place, [...saw, ...unmarking(place, hold)]);
}

/** basic.nack right before the close: applied by the broker only while the token is still this consumer's. */
export function unmarking({ channelId }: TokenPlace, { nacked, deliveryTag }: HeldToken): readonly Effect[] {
  return isMarked(nacked) ? [{ do: 'requeue', channelId, deliveryTag }] : [];
}

export function closeChannel({ epoch, channelId }: TokenPlace, effects: readonly Effect[] = []): Step {
  return [{ at: 'closing', epoch, channelId }, [...effects, { do: 'close', channelId }]];
}
