import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { provideRoot } from '../../support/broker/debian-root.ts';
import { readImageName } from '../../support/broker/docker.ts';
import { run } from '../../support/broker/run.ts';
import type { Engine } from './engine.ts';

const IMPORT_TIMEOUT_MS = 5 * 60_000;

/** What makes a Debian with RabbitMQ into an image like RabbitMQ's own, as far as the tests can tell. */
const OVERLAY = {
  // Debian's own one changes the user and loses quotes.
  'usr/local/bin/rabbitmqctl': '#!/bin/sh\nexec /usr/lib/rabbitmq/bin/rabbitmqctl "$@"\n',
  'etc/rabbitmq/rabbitmq.conf': 'loopback_users = none\n',
};

const CHANGES = [
  'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 RABBITMQ_LOGS=-',
  'EXPOSE 5672',
  'CMD ["/usr/lib/rabbitmq/bin/rabbitmq-server"]',
];

/** Others may have a node running in that folder, with its data in /tmp. Docker takes no path twice: files only. */
const IMPORT = `
  root=$1 overlay=$2; shift 2
  tar -c --exclude='./tmp/*' --exclude='./proc/*' --exclude='./dev/*' -C "$root" . -C "$overlay" ${Object.keys(OVERLAY).join(' ')} |
    docker import "$@"`;

/** Imports RabbitMQ 4.3 under the name of the image that the tests want. */
export async function importImage(
  engine: Engine,
  folder: string,
  log: (line: string) => void,
): Promise<void> {
  const { root } = await provideRoot('4.3', log);
  const image = await readImageName();
  const overlay = join(folder, 'overlay');
  for (const [path, text] of Object.entries(OVERLAY)) {
    await mkdir(dirname(join(overlay, path)), { recursive: true });
    await writeFile(join(overlay, path), text, { mode: 0o755 });
  }
  log(`importing ${root} as ${image}`);
  const changes = CHANGES.flatMap((change) => ['--change', change]);
  await run(['bash', '-euo', 'pipefail', '-c', IMPORT, 'bash', root, overlay, ...changes, '-', image], {
    env: { ...process.env, ...engine.env },
    timeoutMs: IMPORT_TIMEOUT_MS,
  });
}
