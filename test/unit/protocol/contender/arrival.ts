import type { Message } from '../../../../src/protocol/token.ts';

/** A message as it was handed over. */
export interface Arrival {
  readonly message: Message;
  readonly nacked: number | undefined;
  readonly at: number;
  /** It came to a contender that waited, and not as the answer to a question. */
  readonly isFirst: boolean;
}

/** The same id, the same base, and counts that have risen by the question and nothing else. */
export function isProof(
  own: Arrival | undefined,
  asked: 'requeue' | 'reject',
  arrived: Arrival | undefined,
): boolean {
  const before = own?.message;
  const now = arrived?.message;
  if (before?.kind !== 'token' || now?.kind !== 'token') return false;
  if (before.token.id !== now.token.id || before.token.base !== now.token.base) return false;
  const both = asked === 'reject' && arrived?.nacked !== undefined;
  const nacked = (own?.nacked ?? 0) + (asked === 'requeue' ? 1 : 0);
  const isNacked = own?.nacked === undefined || arrived?.nacked === nacked;
  return isNacked && now.returns === before.returns + (both ? 2 : 1);
}

export const isOdd = (nacked: number | undefined): boolean => nacked !== undefined && nacked % 2 !== 0;
