import { join } from 'node:path';
import { ANSWER_MS, places, startDaemon } from '../daemon.ts';
import type { ServerKind } from '../peer.ts';
import { BUCKET } from './lock.ts';

interface Streams {
  readonly account_details?: readonly {
    readonly stream_detail?: readonly {
      readonly name: string;
      readonly cluster?: { readonly leader?: string };
    }[];
  }[];
  readonly meta_cluster?: { readonly leader?: string };
}

export const nats: ServerKind = {
  packages: ['nats-server'],
  installed: '/usr/sbin/nats-server',
  start: async ({ nodes }) => {
    const all = await places(nodes);
    const routes = all.map(({ ports }) => `nats-route://127.0.0.1:${ports[1]}`).join(',');
    const ask = (port: number): Promise<Streams | undefined> => streamsOf(port);
    const answers = () => Promise.all(all.map(({ ports }) => ask(ports[2])));
    return startDaemon({
      name: 'NATS',
      package: 'nats-server',
      places: all,
      command: ({ folder, ports }, index) => [
        ...['nats-server', '--name', `n${index}`, '-a', '127.0.0.1', '-p', String(ports[0])],
        ...['-js', '-sd', join(folder, 'data'), '-m', String(ports[2])],
        ...(nodes === 1
          ? []
          : ['--cluster_name', 'bench', '--cluster', `nats://127.0.0.1:${ports[1]}`, '--routes', routes]),
      ],
      url: ({ ports }) => `nats://127.0.0.1:${ports[0]}`,
      ready: async () => {
        const found = await answers();
        const led = found.every((each) => nodes === 1 || each?.meta_cluster?.leader);
        if (!led || found.includes(undefined)) throw new Error('JetStream has no leader');
      },
      leader: async () => {
        const streams = (await answers()).flatMap((each) => each?.account_details ?? []);
        const bucket = streams
          .flatMap((each) => each.stream_detail ?? [])
          .find(({ name }) => name === `KV_${BUCKET}`);
        return Number(bucket?.cluster?.leader?.slice(1) ?? -1);
      },
    });
  },
};

async function streamsOf(port: number): Promise<Streams | undefined> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const answer = await fetch(`http://127.0.0.1:${port}/jsz?streams=true`, { signal });
    return (await answer.json()) as Streams;
  } catch {
    return undefined; // a node that is down
  }
}
