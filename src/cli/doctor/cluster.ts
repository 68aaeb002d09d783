import type { Finding } from './finding.ts';

/** A node of the cluster, as the management API shows it. */
export interface Node {
  readonly name: string;
  readonly running: boolean;
  readonly memoryAlarm: boolean;
  readonly diskAlarm: boolean;
  /** Nodes it has been cut off from. */
  readonly partitions: readonly string[];
}

/** @param metadata whether it is kept by Raft, and if not, whether this version (4.0 or newer) could */
export function clusterFindings(
  nodes: readonly Node[],
  metadata: 'raft' | 'could-be-raft' | 'mnesia',
): Finding[] {
  return [...alarms(nodes), ...partitions(nodes, metadata), ...size(nodes)];
}

function alarms(nodes: readonly Node[]): Finding[] {
  const raised = nodes.flatMap(({ name, memoryAlarm, diskAlarm }) => [
    ...(memoryAlarm ? [`memory of ${name}`] : []),
    ...(diskAlarm ? [`disk of ${name}`] : []),
  ]);
  if (raised.length === 0) return [{ check: 'alarms', level: 'ok', says: 'no alarm' }];
  const says = `alarm: ${raised.join(', ')}. Locks that exist go on as usual; new ones cannot be made, and destroyed tokens not mended, until it ends`;
  return [{ check: 'alarms', level: 'warning', says, fix: 'rabbitmq-diagnostics alarms' }];
}

function partitions(nodes: readonly Node[], metadata: Parameters<typeof clusterFindings>[1]): Finding[] {
  const check = 'partitions';
  const cut = nodes.filter((node) => node.partitions.length > 0);
  if (cut.length > 0) {
    const says = `the cluster has been partitioned (${cut.map(({ name }) => name).join(', ')}): nodes may disagree on which locks exist, and a lock may exist twice. Restart the nodes of the smaller side`;
    return [{ check, level: 'problem', says, fix: 'rabbitmqctl cluster_status' }];
  }
  if (metadata === 'raft')
    return [
      { check, level: 'ok', says: 'metadata is kept by Raft (Khepri), so a partition cannot split it' },
    ];
  if (nodes.length < 2) return [{ check, level: 'ok', says: 'one node: nothing to partition' }];
  const remedy = metadata === 'mnesia' ? 'It must be pause_minority' : 'Use Khepri, or pause_minority';
  const says = `metadata is kept in Mnesia: with cluster_partition_handling = ignore, its default, a cut-off node can make a lock twice. The API does not tell which is set. ${remedy}`;
  const look = 'rabbitmqctl environment | grep cluster_partition_handling   # want pause_minority';
  const fix =
    metadata === 'mnesia' ? look : `${look}; or: rabbitmqctl enable_feature_flag --opt-in khepri_db`;
  return [{ check, level: 'warning', says, fix }];
}

function size(nodes: readonly Node[]): Finding[] {
  const check = 'nodes';
  const down = nodes.filter(({ running }) => !running);
  if (down.length > 0) {
    const says = `not running: ${down.map(({ name }) => name).join(', ')}. Delete no lock until it is back (baton break): its clients could block the lock then`;
    return [{ check, level: 'warning', says, fix: 'rabbitmqctl cluster_status' }];
  }
  if (nodes.length === 1) {
    return [
      {
        check,
        level: 'note',
        says: 'one node: when it is down there are no locks. Three nodes survive the loss of one',
      },
    ];
  }
  if (nodes.length === 2) {
    return [
      {
        check,
        level: 'warning',
        says: 'two nodes: locks need a majority, so they stop when either is lost. Use three',
      },
    ];
  }
  return [{ check, level: 'ok', says: `${nodes.length} nodes, all running` }];
}
