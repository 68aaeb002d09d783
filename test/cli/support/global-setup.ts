import { execFile } from 'node:child_process';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { provideBroker, shareBroker } from '../../support/broker/index.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** A broker with the management plugin, and the command as it is published: built, in a folder of this run. */
export async function setup(): Promise<() => Promise<void>> {
  const log = (line: string): void => void process.stderr.write(`broker: ${line}\n`);
  // Below node_modules, where its dependencies are found, and where nothing but itself is looked at.
  const folder = join(ROOT, 'node_modules', '.cache', `baton-cli-${process.pid}`);
  const [broker] = await Promise.all([provideBroker({ log, management: true }), build(folder)]);
  log(`RabbitMQ ${broker.version} at ${new URL(broker.url).host} (${broker.how})`);
  shareBroker(broker);
  process.env.BATON_TEST_COMMAND = join(folder, 'dist/cli/main.js');
  return async () => {
    await Promise.all([broker.stop(), rm(folder, { recursive: true, force: true })]);
  };
}

async function build(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const tsc = join(ROOT, 'node_modules/.bin/tsc');
  await promisify(execFile)(tsc, ['-p', 'tsconfig.build.json', '--outDir', join(folder, 'dist')], {
    cwd: ROOT,
  });
  await copyFile(join(ROOT, 'package.json'), join(folder, 'package.json'));
}
