import { setTimeout as pause } from 'node:timers/promises';
import { v7 as uuid } from 'uuid';
import type { LockSession } from '../../broker/port.ts';
import { AccessRefusedError, type BatonError, isBatonError } from '../../errors.ts';
import { encodeProbe } from '../../protocol/token.ts';
import { quote } from '../quote.ts';
import type { Finding } from './finding.ts';

/** A publish that takes longer than this is blocked. */
const PUBLISH_MS = 3_000;

interface Scene {
  readonly session: LockSession;
  /** A lock queue that doctor may make. */
  readonly queue: string;
  readonly lock: string;
  readonly user: string;
  readonly vhost: string;
}

/** Tries each of the three permissions on a lock queue of doctor's own. */
export async function accessFindings({ session, queue, lock, user, vhost }: Scene): Promise<Finding[]> {
  const denied: string[] = [];
  const findings: Finding[] = [];
  const tried = async (permission: string, attempt: Promise<unknown>) => {
    const error = await attempt.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error instanceof AccessRefusedError) denied.push(permission);
    else if (error !== undefined && !isBatonError(error)) throw error;
  };
  await tried('configure on the locks (making and mending them)', session.declare(queue));
  const probe = encodeProbe({ id: uuid(), name: lock, by: 'baton doctor', at: Date.now() });
  const publish = session.publish(queue, probe, { expirationMs: 1 });
  const timer = new AbortController();
  const late = pause(PUBLISH_MS, 'blocked', { signal: timer.signal }).catch(() => 'done');
  await tried(
    'write on the exchange amq.default (making and mending locks)',
    Promise.race([publish, late]).then((outcome) => {
      if (outcome !== 'blocked') return;
      const { obstacle } = session;
      findings.push(obstacle === undefined ? BLOCKED : { ...UNPUBLISHED, says: obstacle.message });
    }),
  );
  timer.abort();
  publish.catch(() => {}); // it is answered at the latest when the session is closed
  await tried('read on the locks (waiting for and holding them)', consuming(session, queue));
  if (denied.length === 0) {
    const says = `user '${user}' may make, hold and mend the locks of this namespace`;
    return [...findings, { check: 'permissions', level: 'ok', says }];
  }
  const says = `user '${user}' lacks ${denied.join('; ')}. A user with read alone can hold locks that exist`;
  const fix = `rabbitmqctl set_permissions -p ${quote(vhost)} ${quote(user)} '^baton\\.' '^amq\\.default$' '^baton\\.'`;
  const level = denied.some((it) => it.startsWith('read')) ? 'problem' : 'warning';
  return [...findings, { check: 'permissions', level, says, fix }];
}

const BLOCKED: Finding = {
  check: 'alarms',
  level: 'warning',
  says: 'the broker does not take what is published (an alarm): locks that exist go on, new ones cannot be made',
  fix: 'rabbitmq-diagnostics alarms',
};

/** No connection to publish on. */
const UNPUBLISHED = { check: 'limits', level: 'problem' } as const;

/** Resolves when the broker has taken the consumer in, or there is no such queue. */
function consuming(session: LockSession, queue: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const channel = session.consume(queue, `doctor/${uuid()}`, {
      consuming: () => channel.close(),
      delivered: () => {},
      cancelled: () => channel.close(),
      closed: ({ error, absent }: { error?: BatonError; absent?: boolean }) =>
        error === undefined || absent === true ? resolve() : reject(error),
    });
  });
}
