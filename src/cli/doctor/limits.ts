import type { Finding } from './finding.ts';

/** As `rabbitmqctl set_user_limits` and `set_vhost_limits` take them; undefined where there is none. */
export interface Limits {
  readonly user: string;
  readonly vhost: string;
  readonly channels: number | undefined;
  readonly connections: number | undefined;
  readonly vhostConnections: number | undefined;
  readonly queues: number | undefined;
}

/** A lock connection, one for looks, one for publishing. */
const CONNECTIONS = 3;
/** One for a lock, one for looks, one for publishing, and one that the broker still counts. */
const CHANNELS = 4;

/** The limits that operators have set, and what they mean for locks. */
export function limitFindings({ user, vhost, ...limits }: Limits): Finding[] {
  const rows: [most: number | undefined, fewest: number, says: string, fix: string][] = [
    [
      limits.channels,
      CHANNELS,
      `channels on all connections of user '${user}': each wait and each hold takes one, each program ${CHANNELS - 1} more; others wait`,
      `rabbitmqctl set_user_limits '${user}' '{"max-channels": 1000}'`,
    ],
    [
      limits.connections,
      CONNECTIONS,
      `connections of user '${user}': each program takes ${CONNECTIONS}`,
      `rabbitmqctl set_user_limits '${user}' '{"max-connections": 100}'`,
    ],
    [
      limits.vhostConnections,
      CONNECTIONS,
      `connections to virtual host '${vhost}': each program takes ${CONNECTIONS}`,
      `rabbitmqctl set_vhost_limits -p '${vhost}' '{"max-connections": 100}'`,
    ],
    [
      limits.queues,
      1,
      `queues in virtual host '${vhost}': each lock takes one, one with state two`,
      `rabbitmqctl set_vhost_limits -p '${vhost}' '{"max-queues": 10000}'`,
    ],
  ];
  return rows.flatMap(([most, fewest, says, fix]): Finding[] => {
    if (most === undefined || most < 0) return [];
    const finding = { check: 'limits', says: `at most ${most} ${says}` };
    return most < fewest ? [{ ...finding, level: 'problem', fix }] : [{ ...finding, level: 'note' }];
  });
}
