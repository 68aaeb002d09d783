/** What the bench needs on this machine: Debian packages, the peers' clients, and our own package as it is published. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { aptInstall, isRoot } from '../test/support/broker/debian.ts';
import { run } from '../test/support/broker/run.ts';
import type { ServerKind } from './peers/peer.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const MODULES = join(HERE, 'node_modules');
const INSTALL_TIMEOUT_MS = 5 * 60_000;

type Log = (line: string) => void;

/**
 * `npm pack`, unpacked to bench/node_modules/batonmq. Its dependencies are those of the project, a folder further up,
 * in the versions of the lock file.
 */
export async function installPackage(log: Log): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'batonmq-bench-'));
  try {
    log('packing batonmq');
    await run(['npm', 'pack', '--silent', '--pack-destination', folder, PROJECT], {
      timeoutMs: INSTALL_TIMEOUT_MS,
    });
    const [tarball = ''] = await readdir(folder);
    const place = join(MODULES, 'batonmq');
    await rm(place, { recursive: true, force: true });
    await mkdir(place, { recursive: true });
    await run(['tar', '-xzf', join(folder, tarball), '-C', place, '--strip-components=1']);
    return tarball.replace(/\.tgz$/, '');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The dependencies of bench/package.json, unless they are there. Call it before {@link installPackage}, which npm would remove. */
export async function installClients(log: Log): Promise<void> {
  const wanted = createHash('sha256')
    .update(await readFile(join(HERE, 'package.json')))
    .digest('hex');
  const stamp = join(MODULES, '.installed');
  if ((await readFile(stamp, 'utf8').catch(() => '')) === wanted) return;
  log("installing the peers' clients with npm");
  await run(
    ['npm', 'install', '--prefix', HERE, '--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund'],
    { timeoutMs: INSTALL_TIMEOUT_MS },
  );
  await writeFile(stamp, wanted);
}

/** Installs what is missing; what apt enabled with it is disabled, and nothing of it is started. */
export async function installServers(kinds: readonly ServerKind[], log: Log): Promise<void> {
  const missing = kinds.filter(({ installed }) => !existsSync(installed)).flatMap(({ packages }) => packages);
  if (missing.length === 0) return;
  if (!isRoot())
    throw new Error(`these packages are missing, and to install them takes root: ${missing.join(' ')}`);
  await aptInstall(missing, log);
  if (!existsSync('/usr/bin/systemctl')) return;
  for (const name of missing) {
    const units = (await run(['dpkg', '-L', name]))
      .split('\n')
      .map((path) => /^\/lib\/systemd\/system\/([^/@]+\.service)$/.exec(path)?.[1])
      .filter((unit) => unit !== undefined);
    for (const unit of units) await run(['systemctl', 'disable', unit]).catch(() => {});
  }
}
