import type { RunRecord } from '../record.ts';
import type { Violation } from '../types.ts';

export interface Left {
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  /** Locks behind whose token a seed lies that was never delivered: two may seed a new queue, and the second is inert. */
  readonly withInertSeeds: readonly string[];
}

/** What was found in the queues when everybody had left. */
export function findLeft({ plan, ofType }: RunRecord): Left {
  const left = ofType('left');
  const behind = left.filter(({ tokens }) => tokens > 1);
  const isDoubled = ({ returns }: (typeof left)[number]) =>
    plan.build === 'naive' || returns === undefined || returns.slice(1).some((count) => count > 0);
  const names = (events: typeof left) => events.map(({ lock }) => lock);
  return {
    // A minted name that nobody wants any more may have lost its token to a fault: it is made when it is looked for.
    lost: names(left.filter(({ tokens, lock }) => tokens === 0 && plan.locks.includes(lock))),
    doubled: names(behind.filter(isDoubled)),
    withInertSeeds: names(behind.filter((event) => !isDoubled(event))),
  };
}

export function checkTokens(record: RunRecord, { lost, doubled }: Left): Violation[] {
  const { plan, endAt, ofType } = record;
  const looked = new Set(ofType('left').map(({ lock }) => lock));
  const unseen = plan.locks.filter((lock) => !looked.has(lock));
  return [
    ...unseen.map((lock) =>
      record.violation('history', endAt, lock, 'nobody looked what is left of the lock'),
    ),
    ...lost.map((lock) => record.violation('token-lost', endAt, lock, 'no token is left of the lock')),
    ...doubled.map((lock) =>
      record.violation('token-doubled', endAt, lock, 'more than one live token is left'),
    ),
  ];
}
