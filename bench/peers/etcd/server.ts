import { join } from 'node:path';
import { ANSWER_MS, places, startDaemon } from '../daemon.ts';
import type { ServerKind } from '../peer.ts';

interface Status {
  readonly header?: { readonly member_id: string };
  readonly leader?: string;
}

export const etcd: ServerKind = {
  packages: ['etcd-server'],
  installed: '/usr/bin/etcd',
  start: async ({ nodes }) => {
    const all = await places(nodes);
    const peer = (port: number) => `http://127.0.0.1:${port}`;
    const cluster = all.map(({ ports }, index) => `n${index}=${peer(ports[1])}`).join(',');
    const urls = all.map(({ ports }) => peer(ports[0]));
    const leader = async (): Promise<number> => {
      const states = await Promise.all(urls.map(statusOf));
      return states.findIndex(
        (state) => state?.leader !== undefined && state.leader === state.header?.member_id,
      );
    };
    return startDaemon({
      name: 'etcd',
      package: 'etcd-server',
      places: all,
      command: ({ folder, ports }, index) => [
        ...['etcd', '--name', `n${index}`, '--data-dir', join(folder, 'data')],
        ...['--listen-client-urls', peer(ports[0]), '--advertise-client-urls', peer(ports[0])],
        ...['--listen-peer-urls', peer(ports[1]), '--initial-advertise-peer-urls', peer(ports[1])],
        ...['--initial-cluster', cluster, '--log-level', 'error'],
      ],
      url: ({ ports }) => peer(ports[0]),
      ready: async () => {
        if ((await leader()) < 0) throw new Error('there is no leader');
      },
      leader,
      // When many who wait go at once, its lock service hangs from then on (etcd-io/etcd#18879).
      startedAnew: true,
    });
  },
};

async function statusOf(url: string): Promise<Status | undefined> {
  try {
    const answer = await fetch(`${url}/v3/maintenance/status`, {
      method: 'POST',
      body: '{}',
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    return (await answer.json()) as Status;
  } catch {
    return undefined; // a node that is down
  }
}
