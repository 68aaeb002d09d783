import type { Finding } from './finding.ts';

/** A queue under the name of a lock. What is unacknowledged is up to 5 s old, and undefined until it is known. */
export interface LockQueue {
  readonly name: string;
  readonly lock: string;
  readonly type: string;
  readonly singleActiveConsumer: boolean;
  readonly ready: number;
  readonly unacknowledged: number | undefined;
  /** Whether anybody is in line. */
  readonly used: boolean;
  readonly members: number;
  readonly online: number;
}

const MANY_QUEUES = 5_000;

/** Messages of a queue: the token, ready or held, and what should not be there. */
const messagesOf = ({ ready, unacknowledged, used }: LockQueue): number =>
  used ? ready + (unacknowledged ?? 1) : ready;

/** What must be looked at again before it is believed: it may be young, a hand-over, or a probe, which lives for 3 s. */
export const isSuspicious = (queue: LockQueue): boolean =>
  isLock(queue) && (messagesOf(queue) !== 1 || (queue.used && queue.unacknowledged === undefined));

const isLock = ({ type, singleActiveConsumer }: LockQueue): boolean =>
  type === 'quorum' && singleActiveConsumer;

/** What the commands that mend something need to reach the same place. */
export interface Whereabouts {
  readonly vhost: string;
  readonly namespace: string;
}

export function tokenFindings(queues: readonly LockQueue[], where: Whereabouts): Finding[] {
  const findings = queues.flatMap((queue) => judge(queue, where));
  const count = queues.length;
  if (count > MANY_QUEUES) {
    findings.push({
      check: 'count',
      level: 'warning',
      says: `${count} locks: more than about ${MANY_QUEUES} quorum queues want a review of the cluster, and their names are never freed in the broker's memory. Take lock names from a bounded set`,
    });
  }
  return findings.length > 0
    ? findings
    : [
        {
          check: 'tokens',
          level: 'ok',
          says:
            count === 0
              ? 'no locks yet'
              : `${count} ${count === 1 ? 'lock, with its token' : 'locks, each with its token'}`,
        },
      ];
}

function judge(queue: LockQueue, { vhost, namespace }: Whereabouts): Finding[] {
  const { lock, name, type, used, members, online } = queue;
  const called = `lock ${JSON.stringify(lock)}`;
  const remove = `rabbitmqctl delete_queue -p ${quote(vhost)} ${quote(name)}`;
  // A slot has no name of its own.
  const fix = lock === name ? remove : `baton break ${quote(lock)} --namespace ${namespace} --yes`;
  if (!isLock(queue)) {
    const kind = type === 'quorum' ? 'a quorum queue without single active consumer' : `a ${type} queue`;
    const says = `${called} is ${kind}: whoever wants it is refused. Delete the queue if nobody needs it`;
    return [
      {
        check: 'tokens',
        level: 'problem',
        says,
        fix: remove,
      },
    ];
  }
  if (members > 0 && online <= members / 2) {
    const says = `${called} has ${online} of ${members} members online, no majority: nobody can acquire or release it`;
    return [
      {
        check: 'tokens',
        level: 'problem',
        says,
        fix: `rabbitmq-queues quorum_status --vhost ${quote(vhost)} ${quote(name)}`,
      },
    ];
  }
  const messages = messagesOf(queue);
  if (messages === 0 && used) {
    const says = `${called} has no token, and somebody waits for it, who mends it after --heal-after. Breaking it is faster`;
    return [{ check: 'tokens', level: 'warning', says, fix }];
  }
  if (messages === 0) {
    const says = `${called} has no token, and nobody waits for it: the next who comes makes it anew`;
    return [{ check: 'tokens', level: 'note', says }];
  }
  if (messages > 1) {
    const says = `${called} has ${messages} messages where one token belongs: a second token (two made the lock at once) or something foreign. It is inert while the token is there; breaking the lock removes it`;
    return [{ check: 'tokens', level: 'note', says, fix }];
  }
  return [];
}

/** For a shell. */
const quote = (text: string): string =>
  /^[\w.:/@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
