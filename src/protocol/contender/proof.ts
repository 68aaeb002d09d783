import { UnsupportedBrokerError } from '../../errors.ts';
import type { GrantMode } from '../grant-mode.ts';
import type { BrokerTraits, Delivery } from '../port.ts';
import { countMessage, decodeMessage } from '../token.ts';
import { isBelow43 } from '../versions.ts';
import type { At, Effect, HeldState, HeldToken, Question, Rules } from './types.ts';

/** Whether a broker may hand the token over without telling its holder, so that the first proof is awaited. */
export function grantsVerified(grant: GrantMode, { version }: BrokerTraits): boolean {
  return grant === 'verified' || (grant === 'auto' && isBelow43(version));
}

/**
 * From 4.3 on a nack is the only thing that makes `nacked` rise: ends of channels, connections and nodes, and rejects, do
 * not. So its parity is a mark on the token, replicated with it. Odd: somebody with a verified grant has it, or went
 * without releasing it.
 */
export const isMarked = (nacked: number | undefined): boolean => nacked !== undefined && nacked % 2 !== 0;

/** Whether the token carries the mark of this hold, which a release has to take away. */
export const hasMark = ({ nacked }: HeldToken, { grant }: Rules): boolean =>
  grant === 'verified' && isMarked(nacked);

/**
 * Whether nobody has been granted this token yet, by a nack of his, although the process has seen one of this lock: the
 * one before was destroyed, and who had it may not know.
 */
export function replacesAnother(
  hold: HeldToken,
  traits: BrokerTraits,
  { grant, expires }: Rules,
  highestSeen: bigint,
) {
  if (grant !== 'verified' || expires || !countsApart(hold, traits)) return false;
  return (hold.nacked ?? 0) === 0 && highestSeen > 0n;
}

/** Whether a nack is counted apart from other returns. In a cluster of two versions the node at hand may be the older one. */
export const countsApart = ({ nacked }: HeldToken, { version }: BrokerTraits): boolean =>
  nacked !== undefined || !isBelow43(version);

/** A question that leaves the mark as it is. */
export const questionOn = (hold: HeldToken, traits: BrokerTraits): Question =>
  countsApart(hold, traits) ? 'reject' : 'requeue';

export interface Answer {
  readonly verdict: 'proof' | 'not-counted' | 'other';
  /** After a proof with the counts and the delivery tag of the answer; its fence stays that of the grant. */
  readonly hold: HeldToken;
  readonly saw: readonly Extract<Effect, { do: 'fence-seen' }>[];
}

/**
 * Proof is the same id, the same base and counts that have risen by just this question. "My token came back" is not
 * enough: after a dropped link RabbitMQ 4.0.5 granted the next waiter, told the holder nothing, and then gave it the
 * token again.
 */
export function checkProof(hold: HeldToken, delivery: Delivery, asked: Question, { name }: Rules): Answer {
  const { body, returns, nacked, deliveryTag } = delivery;
  const isSame = Buffer.compare(body, hold.body) === 0;
  const message = isSame ? countMessage(hold, returns) : decodeMessage(body, returns, name);
  if (message.kind !== 'token') return { verdict: 'other', hold, saw: [] };
  const saw = [{ do: 'fence-seen', fence: message.fence }] as const;
  const sameToken = message.token.id === hold.id && message.token.base === hold.base;
  if (sameToken && isAnswer(hold, delivery, asked))
    return { verdict: 'proof', hold: { ...hold, returns, nacked, deliveryTag }, saw };
  return { verdict: sameToken && returns === hold.returns ? 'not-counted' : 'other', hold, saw };
}

function isAnswer(before: HeldToken, { returns, nacked }: Delivery, asked: Question): boolean {
  if (nacked === undefined || asked === 'requeue') {
    return returns === before.returns + 1 && (before.nacked === undefined || nacked === before.nacked + 1);
  }
  return returns === before.returns + 2 && (before.nacked === undefined || nacked === before.nacked);
}

export function notCounted(): UnsupportedBrokerError {
  return new UnsupportedBrokerError(
    'the broker returned the token without counting it, so a hold cannot be proven; use RabbitMQ 3.10 or newer with quorum queues',
  );
}

/** The lease runs from the sending of the question, not from its answer. */
export function proven(
  { epoch, channelId, traits, sentAt }: At<'granting' | 'verifying'>,
  { hold }: Answer,
  { verifyEveryMs }: Rules,
): HeldState {
  const verifyAt = sentAt.mono + verifyEveryMs;
  return { at: 'held', epoch, channelId, traits, hold, provenAt: sentAt, verifyAt };
}
