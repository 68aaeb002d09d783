import { queueKind } from '../../protocol/queues.ts';
import { ago } from '../table.ts';
import type { Holder, LockReport, LockState, Person } from './report.ts';

const STATES: Readonly<Record<LockState, string>> = {
  held: 'held',
  free: 'free',
  'no-token': 'no token',
  absent: 'absent',
  odd: 'odd',
};

export const stateText = ({ state }: LockReport): string => STATES[state];

/** `billing@web-1/4711`, with what it asked for if that is a slot; or the tag of a consumer that is not of batonmq. */
export function personText(
  { service, host, pid, consumerTag, lock }: Person,
  { queue }: Pick<LockReport, 'queue'>,
): string {
  if (service === null || host === null) return consumerTag;
  const who = `${service}@${host}/${pid}`;
  return queueKind(queue) === 'slot' ? `${who} for ${lock}` : who;
}

/** Since when a lock is held, or, where its holder has not told, since when it has been in line. */
export function sinceText({ heldSince, inLineSince }: Holder): string {
  if (heldSince !== null) return ago(heldSince);
  return inLineSince === null ? '?' : `after ${ago(inLineSince)}`;
}
