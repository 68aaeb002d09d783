import { quote } from '../quote.ts';
import type { Finding } from './finding.ts';
import { grouped, type Judgement } from './grouped.ts';

/** A queue under the name of a lock, or of its state. What is unacknowledged is up to 5 s old, and undefined until it is known. */
export interface LockQueue {
  readonly name: string;
  readonly part: 'lock' | 'register';
  readonly lock: string;
  readonly type: string;
  readonly singleActiveConsumer: boolean;
  readonly ready: number;
  readonly unacknowledged: number | undefined;
  /** Whether anybody is in line. */
  readonly used: boolean;
  readonly members: number;
  readonly online: number;
  /** Why it cannot be looked at. */
  readonly problem?: string | undefined;
}

const MANY_QUEUES = 5_000;

/** Messages of a queue: the token, ready or held, and what should not be there. */
const messagesOf = ({ ready, unacknowledged, used }: LockQueue): number =>
  used ? ready + (unacknowledged ?? 1) : ready;

/** What must be looked at again before it is believed: it may be young, a hand-over, or a probe, which lives for 3 s. */
export const isSuspicious = (queue: LockQueue): boolean =>
  isLock(queue) &&
  (isSilent(queue) ||
    (queue.part === 'lock' &&
      (messagesOf(queue) !== 1 || (queue.used && queue.unacknowledged === undefined))));

/**
 * Looks empty, and nothing is known of it: it is its leader that counts what is in it. RabbitMQ 3.10.8 and 4.0.5 show a
 * leader, and all members online, where there is none.
 */
const isSilent = ({ ready, used, unacknowledged }: LockQueue): boolean =>
  ready === 0 && !used && unacknowledged === undefined;

const isLock = ({ type, singleActiveConsumer }: LockQueue): boolean =>
  type === 'quorum' && singleActiveConsumer;

/** What the commands that mend something need to reach the same place. */
export interface Whereabouts {
  readonly vhost: string;
  readonly namespace: string;
}

export function tokenFindings(queues: readonly LockQueue[], where: Whereabouts): Finding[] {
  const findings = grouped(queues.flatMap((queue) => judge(queue, where) ?? []));
  const count = queues.length;
  const locks = queues.filter(({ part }) => part === 'lock').length;
  if (count > MANY_QUEUES) {
    findings.push({
      check: 'count',
      level: 'warning',
      says: `${count} queues of locks: more than about ${MANY_QUEUES} quorum queues want a review of the cluster, and their names are never freed in the broker's memory. Take lock names from a bounded set`,
    });
  }
  return findings.length > 0
    ? findings
    : [
        {
          check: 'tokens',
          level: 'ok',
          says:
            locks === 0
              ? 'no locks yet'
              : `${locks} ${locks === 1 ? 'lock, with its token' : 'locks, each with its token'}`,
        },
      ];
}

function judge(queue: LockQueue, { vhost, namespace }: Whereabouts): Judgement | undefined {
  const { part, lock, name, type, used, members, online, problem } = queue;
  const of = part === 'lock' ? `lock ${JSON.stringify(lock)}` : `the state of lock ${JSON.stringify(lock)}`;
  const about = { check: 'tokens', of } as const;
  const remove = `rabbitmqctl delete_queue -p ${quote(vhost)} ${quote(name)}`;
  // A slot has no name of its own, and a register is none of break's business.
  const fix =
    lock === name || part === 'register'
      ? remove
      : `baton break ${quote(lock)} --namespace ${namespace} --yes`;
  if (problem !== undefined) {
    const says = `cannot be looked at, so nobody can use it: ${problem}`;
    const look = `rabbitmqctl list_queues -p ${quote(vhost)} name type exclusive owner_pid state`;
    return { ...about, level: 'problem', says, saysOfMany: 'cannot be looked at', fix: look };
  }
  if (!isLock(queue)) {
    const kind = type === 'quorum' ? 'a quorum queue without single active consumer' : `a ${type} queue`;
    const says = `is ${kind}: a client that wants it is refused. Delete the queue if nobody needs it`;
    return { ...about, level: 'problem', says, fix: remove };
  }
  if (members > 0 && online <= members / 2) {
    const says = `has ${online} of ${members} members online, no majority: nobody can acquire or release it`;
    const status = `rabbitmq-queues quorum_status --vhost ${quote(vhost)} ${quote(name)}`;
    return { ...about, level: 'problem', says, fix: status };
  }
  if (isSilent(queue)) {
    const cause =
      'RabbitMQ 3.10 and 4.0 bring it up like this, for good, when its nodes are killed within a second of its making';
    const what =
      part === 'lock' ? 'the next client recreates it once you break it' : 'what it held is lost; delete it';
    const says = `has no leader: its waiters wait without end. ${cause}. Nothing is in it, and ${what}`;
    return { ...about, level: 'problem', says, fix };
  }
  if (part === 'register') return undefined; // how many messages it has is its holder's business
  const messages = messagesOf(queue);
  if (messages === 0 && used) {
    const says =
      'has no token, and somebody waits for it: that client replaces it after --heal-after. Breaking the lock is faster';
    return { ...about, level: 'warning', says, fix };
  }
  if (messages === 0) {
    const says = 'has no token, and nobody waits for it: the next client replaces it';
    return { ...about, level: 'note', says };
  }
  if (messages > 1) {
    // No command: to break the lock takes it from its holder, for something that harms nobody.
    const says =
      'has more than one message where one token belongs: a second token (two made the lock at once) or something foreign. It is inert while the token is there, and needs nothing';
    return { ...about, level: 'note', says };
  }
  return undefined;
}
