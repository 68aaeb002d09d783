import { existsSync, readdirSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../test/support/broker/run.ts';
import { places, startDaemon } from '../daemon.ts';
import type { ServerKind } from '../peer.ts';

/** Every wait takes a connection; the default is 100. */
const MAX_CONNECTIONS = 2_200;
/** It refuses to run as root. */
const UNPRIVILEGED = ['setpriv', '--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', '--'];
const VERSIONS = '/usr/lib/postgresql';

export const postgres: ServerKind = {
  packages: ['postgresql'],
  installed: VERSIONS,
  start: async () => {
    const bin = binaries();
    const [place] = await places(1);
    if (place === undefined) throw new Error('no place was made');
    const { folder } = place;
    await run(['chown', 'nobody:nogroup', folder]);
    await chmod(folder, 0o755);
    const data = join(folder, 'data');
    await run([...UNPRIVILEGED, join(bin, 'initdb'), '-D', data, '-A', 'trust', '-U', 'bench', '-E', 'UTF8']);
    return startDaemon({
      name: 'PostgreSQL',
      package: 'postgresql-15',
      places: [place],
      command: ({ ports }) => [
        ...UNPRIVILEGED,
        ...[join(bin, 'postgres'), '-D', data, '-h', '127.0.0.1', '-p', String(ports[0]), '-k', folder],
        ...['-c', `max_connections=${MAX_CONNECTIONS}`],
      ],
      url: ({ ports }) => `postgres://bench@127.0.0.1:${ports[0]}/postgres`,
    });
  },
};

function binaries(): string {
  const found = readdirSync(VERSIONS)
    .sort((one, other) => Number(other) - Number(one))
    .map((version) => join(VERSIONS, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')));
  if (found === undefined) throw new Error(`there is no initdb below ${VERSIONS}`);
  return found;
}
