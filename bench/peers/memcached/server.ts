import { places, startDaemon } from '../daemon.ts';
import type { ServerKind } from '../peer.ts';

export const memcached: ServerKind = {
  packages: ['memcached'],
  installed: '/usr/bin/memcached',
  start: async () =>
    startDaemon({
      name: 'memcached',
      package: 'memcached',
      places: await places(1),
      command: ({ ports }) => ['memcached', '-u', 'nobody', '-l', '127.0.0.1', '-p', String(ports[0])],
      url: ({ ports }) => `127.0.0.1:${ports[0]}`,
    }),
};
