import { join } from 'node:path';
import { run } from '../../../test/support/broker/run.ts';
import { places, startDaemon } from '../daemon.ts';
import type { ServerKind } from '../peer.ts';

/** Every wait takes a connection; the default is 151. */
const MAX_CONNECTIONS = 2_200;

export const mariadb: ServerKind = {
  packages: ['mariadb-server'],
  installed: '/usr/sbin/mariadbd',
  start: async () => {
    const [place] = await places(1);
    if (place === undefined) throw new Error('no place was made');
    const data = join(place.folder, 'data');
    await run(
      [
        'mariadb-install-db',
        '--no-defaults',
        `--datadir=${data}`,
        '--auth-root-authentication-method=normal',
      ],
      { timeoutMs: 120_000 },
    );
    return startDaemon({
      name: 'MariaDB',
      package: 'mariadb-server',
      places: [place],
      command: ({ folder, ports }) => [
        ...[
          'mariadbd',
          '--no-defaults',
          '--user=root',
          `--datadir=${data}`,
          `--socket=${join(folder, 'sock')}`,
        ],
        ...['--bind-address=127.0.0.1', `--port=${ports[0]}`, `--max-connections=${MAX_CONNECTIONS}`],
      ],
      url: ({ ports }) => `mysql://root@127.0.0.1:${ports[0]}/mysql`,
    });
  },
};
