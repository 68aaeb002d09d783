import { lockNameOf } from '../../protocol/topology.ts';
import type { Contestant } from '../locks/consumers.ts';
import type { Finding } from './finding.ts';
import { grouped } from './grouped.ts';
import type { Whereabouts } from './tokens.ts';

const EFFECT =
  'the line is not first come, first served any more, and on RabbitMQ 4 it takes the lock from its holder at the next proof';

/** A consumer with a priority of its own passes those who came before it, the holder included (measured on 4.x). */
export function priorityFindings(
  contestants: readonly Contestant[],
  { namespace }: Pick<Whereabouts, 'namespace'>,
): Finding[] {
  return grouped(
    contestants
      .filter(({ priority = 0 }) => priority !== 0)
      .map(({ queue, tag, connection, priority }) => ({
        check: 'priority',
        level: 'warning',
        of: `lock ${JSON.stringify(lockNameOf(namespace, queue) ?? queue)}`,
        says: `has consumer ${tag} with x-priority ${priority} (connection ${connection}): ${EFFECT}. Take x-priority out of that program, and restart it`,
      })),
  );
}
