import { randomBytes } from 'node:crypto';
import { startCluster } from '../../../test/chaos/site/cluster.ts';
import type { Site } from '../../../test/chaos/site/types.ts';
import { askGuard } from '../../../test/support/broker/guard-client.ts';
import {
  type BrokerVersion,
  type ProvidedBroker,
  provideBroker,
} from '../../../test/support/broker/index.ts';
import type { Scratch, Server, ServerKind } from '../peer.ts';
import { withDescendants } from '../processes.ts';

/** RabbitMQ's own: tests run with one scheduler, and the fault suite with a fifth of these times. */
const DEFAULTS = {
  schedulers: 'default',
  times: { netTicktimeS: 60, consumerDisconnectedMs: 60_000 },
} as const;

/** The project's own provider: what its tests run on. */
function kind(version: BrokerVersion, release: '3.10' | '4.3'): ServerKind {
  return {
    packages: ['rabbitmq-server'],
    installed: '/usr/lib/rabbitmq/bin/rabbitmq-server',
    start: async ({ nodes, log }) =>
      nodes === 1
        ? single(await provideBroker({ version, log, schedulers: DEFAULTS.schedulers }))
        : cluster(await startCluster(release, log, DEFAULTS)),
  };
}

export const debian12 = kind('machine', '3.10');
export const debianTesting = kind('4.3', '4.3');

function single(broker: ProvidedBroker): Server {
  const { control, handle, url, version } = broker;
  return {
    urls: [url],
    version: `RabbitMQ ${version}`,
    pids: async () => {
      if (!('socket' in handle)) return [];
      const { pid } = await askGuard(handle.socket, 'state');
      return pid === null ? [] : withDescendants(pid);
    },
    ...(control && {
      scratch: async (): Promise<Scratch> => {
        const vhost = `bench-${randomBytes(4).toString('hex')}`;
        await control.addVhost(vhost);
        return { urls: [`${url}/${vhost}`], remove: () => control.deleteVhost(vhost) };
      },
    }),
    stop: () => broker.stop(),
  };
}

/** Three nodes in network namespaces. */
function cluster(site: Site): Server {
  const { nodes, version } = site;
  return {
    urls: nodes.map(({ url }) => url),
    version: `RabbitMQ ${version}`,
    pids: async () => {
      const pids = await Promise.all(nodes.map((node) => node.pid()));
      return (await Promise.all(pids.map((pid) => (pid === undefined ? [] : withDescendants(pid))))).flat();
    },
    kill: async (node) => nodes[node]?.control.kill(),
    leader: async (lock) => {
      const leaders = await site.leaders();
      const queue = [...leaders.keys()].find((name) => name.endsWith(`.${lock}`));
      return queue === undefined ? -1 : (leaders.get(queue) ?? -1);
    },
    stop: () => site.stop(),
  };
}
