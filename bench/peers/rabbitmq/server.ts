import { randomBytes } from 'node:crypto';
import { askGuard } from '../../../test/support/broker/guard-client.ts';
import {
  type BrokerVersion,
  type ProvidedBroker,
  provideBroker,
} from '../../../test/support/broker/index.ts';
import type { Scratch, Server, ServerKind } from '../peer.ts';
import { withDescendants } from '../processes.ts';

/** The project's own provider: what its tests run on. */
function kind(version: BrokerVersion): ServerKind {
  return {
    packages: ['rabbitmq-server'],
    installed: '/usr/lib/rabbitmq/bin/rabbitmq-server',
    start: async ({ log }) => single(await provideBroker({ version, log })),
  };
}

export const debian12 = kind('machine');
export const debianTesting = kind('4.3');

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
