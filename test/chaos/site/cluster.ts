import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { provideRoot } from '../../support/broker/debian-root.ts';
import { findInstallation, type Installation } from '../../support/broker/private-node.ts';
import { waitUntilOpen } from '../../support/broker/probe.ts';
import type { Schedulers } from '../../support/broker/types.ts';
import { ClusterNode } from './cluster-node.ts';
import { leaders, untilWhole } from './erlang.ts';
import { Namespaces } from './namespaces.ts';
import type { Release, Site, SiteNode } from './types.ts';

const NODES = ['n1', 'n2', 'n3'];
const FORMATION_MS = 120_000;
/**
 * A fifth of the defaults, as all times of a run under faults are: peers give each other up after 10 to 15 s instead of
 * 45 to 75, and from 4.3 on a consumer on an unreachable node 12 s later instead of 60.
 */
const UNDER_FAULTS = { netTicktimeS: 12, consumerDisconnectedMs: 12_000 };

export interface ClusterOptions {
  /** `rabbitmq_management` say; none by default. */
  readonly plugins?: readonly string[];
  readonly times?: typeof UNDER_FAULTS;
  /** `light` by default. */
  readonly schedulers?: Schedulers;
}

/** Three nodes, each in a network namespace of its own. Takes root and Linux. */
export async function startCluster(
  release: Release,
  log: (line: string) => void,
  { plugins = [], times = UNDER_FAULTS, schedulers = 'light' }: ClusterOptions = {},
): Promise<Site> {
  const installation = await installationOf(release, log);
  const cleanup: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (let undo = cleanup.pop(); undo !== undefined; undo = cleanup.pop()) await undo();
  };
  try {
    // epmd, which nodes would else leave behind, is what keeps the namespace of each.
    const { root } = installation;
    const network = await Namespaces.make(NODES.length, [...(root === '/' ? [] : ['chroot', root]), 'epmd']);
    cleanup.push(() => network.stop());
    const nodes = await boot(release, installation, network, { plugins, times, schedulers });
    cleanup.push(() => Promise.all(nodes.map((node) => node.stop())));
    const first = nodes[0];
    if (first === undefined) throw new Error('a cluster has nodes');
    const [version = ''] = await Promise.all(
      nodes.map(({ url }) => waitUntilOpen(url, { timeoutMs: FORMATION_MS })),
    );
    await untilWhole(nodes);
    // Mnesia splits when a link is dropped; what the documentation recommends below 4.3 is Khepri where there is one.
    if (release === '4.0') await first.control.eval('ok = rabbit_feature_flags:enable(khepri_db)');
    return {
      kind: 'cluster',
      release,
      version,
      nodes: nodes.map(asSiteNode),
      network,
      leaders: () => leadersOf(nodes),
      whole: () => untilWhole(nodes),
      upgradeTo: async (to) => upgrade(nodes, await installationOf(to, log)),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function installationOf(release: Release, log: (line: string) => void): Promise<Installation> {
  if (release !== '3.10') return provideRoot(release, log);
  const installed = findInstallation();
  if (installed === undefined) throw new Error('RabbitMQ 3.10 is that of Debian 12: install rabbitmq-server');
  return installed;
}

async function boot(
  release: Release,
  installation: Installation,
  network: Namespaces,
  { plugins, times: { netTicktimeS, consumerDisconnectedMs }, schedulers }: Required<ClusterOptions>,
): Promise<ClusterNode[]> {
  const lines = NODES.map((host, index) => `${network.addresses[index]} ${host}`);
  const hosts = ['127.0.0.1 localhost', ...lines, ''].join('\n');
  const [id, cookie] = [randomBytes(4).toString('hex'), randomBytes(15).toString('hex')];
  const nodes = NODES.map(
    (host, index) =>
      new ClusterNode({
        name: `rabbit@${host}`,
        installation,
        enter: (command) => network.enter(index, command),
        address: network.addresses[index] ?? '',
        folder: join(tmpdir(), `batonmq-${id}-${host}`),
        hosts,
        cookie,
        config: config(release),
        plugins,
        advancedConfig: `[{rabbit, [{consumer_disconnected_timeout, ${consumerDisconnectedMs}}]}].\n`,
        netTicktimeS,
        schedulers,
      }),
  );
  await Promise.all(nodes.map((node) => node.boot()));
  return nodes;
}

function config(release: Release): string {
  const peers = NODES.map(
    (host, index) => `cluster_formation.classic_config.nodes.${index + 1} = rabbit@${host}`,
  );
  return [
    'listeners.tcp.default = 5672',
    'loopback_users = none',
    'disk_free_limit.absolute = 1MB',
    'cluster_formation.peer_discovery_backend = classic_config',
    ...peers,
    ...(release === '3.10'
      ? ['cluster_partition_handling = pause_minority']
      : [`cluster_formation.target_cluster_size_hint = ${NODES.length}`]),
    '',
  ].join('\n');
}

/** Asks one node after the other: some are down at times. */
async function leadersOf(nodes: readonly SiteNode[]): Promise<Map<string, number>> {
  for (const { control } of nodes) {
    const found = await leaders(control).catch(() => undefined);
    if (found === undefined) continue;
    const index = new Map(nodes.map(({ name }, at) => [name, at]));
    return new Map(
      [...found].flatMap(([queue, node]) => (index.has(node) ? [[queue, index.get(node) ?? 0]] : [])),
    );
  }
  return new Map();
}

const asSiteNode = (node: ClusterNode): SiteNode => ({
  name: node.name,
  url: node.url,
  control: node.control,
  logs: node.logs,
  pid: () => node.pid(),
  shutdown: () => node.shutdown(),
});

async function upgrade(nodes: readonly ClusterNode[], installation: Installation): Promise<void> {
  await nodes[0]?.control.eval('ok = rabbit_feature_flags:enable_all()');
  for (const node of nodes) await node.shutdown();
  for (const node of nodes) await node.become(installation);
  await untilWhole(nodes);
}
