import { places, startDaemon } from '../daemon.ts';
import type { ServerKind } from '../peer.ts';

export const redis: ServerKind = {
  packages: ['redis-server'],
  installed: '/usr/bin/redis-server',
  start: async () =>
    startDaemon({
      name: 'Redis',
      package: 'redis-server',
      places: await places(1),
      command: ({ folder, ports }) => [
        'redis-server',
        ...['--bind', '127.0.0.1', '--port', String(ports[0]), '--dir', folder],
      ],
      url: ({ ports }) => `redis://127.0.0.1:${ports[0]}`,
    }),
};
