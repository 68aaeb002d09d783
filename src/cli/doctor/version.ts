import type { BrokerTraits } from '../../protocol/port.ts';
import { isBelow43 } from '../../protocol/versions.ts';
import type { Finding } from './finding.ts';

/** What is known of this version of RabbitMQ. */
export function versionFindings([major, minor, patch]: BrokerTraits['version']): Finding[] {
  const findings: Finding[] = [
    { check: 'version', level: 'ok', says: `RabbitMQ ${major}.${minor}.${patch}` },
  ];
  const note = (says: string) => findings.push({ check: 'version', level: 'note', says });
  if (major === 4 && minor === 3 && patch <= 6) {
    note(
      'RabbitMQ 4.3.0 to 4.3.6 can deadlock a lock once every consumer of it has timed out (rabbitmq-server #17317). A holder that verifies does not time out; do not set a consumer timeout on lock queues',
    );
  }
  if (major === 3 && minor >= 13) {
    note(
      'RabbitMQ 3.13 may forget a waiter when a lock is recreated within 30 ms of its deletion (baton break); waits with a limit come out of it. Upgrade to 4.x',
    );
  }
  if (isBelow43([major, minor, patch])) {
    note(
      'Below RabbitMQ 4.3 a link between cluster nodes that drops for a moment hands a held lock over at once: holders overlap for up to a lease and a verification, and only fences protect the resource. Upgrade to 4.3',
    );
  }
  return findings;
}
