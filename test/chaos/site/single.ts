import { join } from 'node:path';
import { askGuard } from '../../support/broker/guard-client.ts';
import { provideBroker } from '../../support/broker/index.ts';
import type { BrokerVersion } from '../../support/broker/types.ts';
import { shutdown, untilWhole } from './erlang.ts';
import type { Release, Site, SiteNode } from './types.ts';

/** A single private node. @throws Error when the machine's own RabbitMQ is not 3.10 and that was asked for. */
export async function startSingle(release: Release, log: (line: string) => void): Promise<Site> {
  const version: BrokerVersion = release === '3.10' ? 'machine' : release;
  const broker = await provideBroker({ version, log });
  const { handle, control } = broker;
  if (handle.how === 'url' || handle.how === 'docker' || control === undefined) {
    await broker.stop();
    throw new Error('faults strike only a broker of their own: unset BATON_URL');
  }
  if (!broker.version.startsWith(release)) {
    await broker.stop();
    throw new Error(`asked for RabbitMQ ${release}, and this machine has ${broker.version}`);
  }
  const pid = async (): Promise<number | undefined> =>
    (await askGuard(handle.socket, 'state')).pid ?? undefined;
  const node: SiteNode = {
    name: handle.nodeName,
    url: broker.url,
    control,
    pid,
    shutdown: () => shutdown(control, pid),
    logs: handle.root === '/' ? join(handle.home, 'log') : join(handle.root, handle.home, 'log'),
  };
  return {
    kind: 'single',
    release,
    version: broker.version,
    nodes: [node],
    leaders: async () => new Map(),
    whole: () => untilWhole([node]),
    stop: () => broker.stop(),
  };
}
