import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { aptInstall, archiveUri, isRoot, readDistribution } from './debian.ts';
import { findInstallation, type Installation } from './private-node.ts';
import { enterRoot } from './roots.ts';
import { run } from './run.ts';

export type RootVersion = '4.0' | '4.3';

/** Which Debian carries which RabbitMQ. */
const SUITES: Readonly<Record<RootVersion, string>> = { '4.0': 'trixie', '4.3': 'forky' };

const STEP_TIMEOUT_MS = 15 * 60_000;

/** debootstrap mounts things into the root: in a mount namespace of its own none of it is left behind. */
const PRIVATE_MOUNTS = ['unshare', '--mount', '--propagation', 'private'];

const SETTLE = `
  root=$0
  printf '#!/bin/sh\\nexit 101\\n' > "$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  for file in /etc/apt/apt.conf.d/* /etc/apt/apt.conf; do
    if [ -f "$file" ]; then cp "$file" "$root$file"; fi
  done`;

const INSTALL =
  'apt-get update -qq && apt-get install -y -qq --no-install-recommends rabbitmq-server && apt-get clean';

/** A folder with another Debian and its RabbitMQ in it: made once, about a minute, then taken from the cache. */
export async function provideRoot(version: RootVersion, log: (line: string) => void): Promise<Installation> {
  const cache = process.env.BATON_BROKER_CACHE || join(homedir(), '.cache', 'batonmq-brokers');
  const root = join(cache, version);
  const suite = SUITES[version];
  if (!existsSync(root)) {
    await mkdir(cache, { recursive: true });
    await removeAbandoned(cache);
    // Under another name until it is complete: an interrupted attempt is never mistaken for a finished one.
    const partial = join(cache, `${version}.partial-${process.pid}-${randomBytes(3).toString('hex')}`);
    try {
      await build(suite, partial, log);
      await rename(partial, root);
    } catch (error) {
      await rm(partial, { recursive: true, force: true });
      // Somebody else was faster.
      if (!existsSync(root)) throw error;
    }
  }
  const installation = findInstallation(root, 'debian-root');
  if (!installation) throw new Error(`${root} holds no rabbitmq-server: remove that folder and try again`);
  return installation;
}

async function build(suite: string, root: string, log: (line: string) => void): Promise<void> {
  const distribution = await readDistribution();
  if (distribution.id !== 'debian' || !isRoot()) {
    throw new Error('RabbitMQ 4.0 and 4.3 are made with debootstrap: this takes Debian and root');
  }
  if (!existsSync('/usr/sbin/debootstrap')) await aptInstall(['debootstrap'], log);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const step = { env, timeoutMs: STEP_TIMEOUT_MS };

  log(`debootstrap of Debian ${suite} into ${root} (once, under a minute on a good line)`);
  // A debootstrap older than the suite has no script for it, but all recent suites install in the same way.
  const script = ['trixie', 'sid'].map((name) => `/usr/share/debootstrap/scripts/${name}`).find(existsSync);
  const uri = await archiveUri(distribution);
  const options = ['--variant=minbase', '--include=ca-certificates'];
  const debootstrap = ['debootstrap', ...options, suite, root, uri, ...(script ? [script] : [])];
  await run([...PRIVATE_MOUNTS, ...debootstrap], step);
  await run(['sh', '-ec', SETTLE, root], step);

  log('installing rabbitmq-server in it');
  await run(enterRoot(root, ['sh', '-ec', INSTALL]), step);
}

/** What is left of attempts whose process is gone. */
async function removeAbandoned(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const pid = /\.partial-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) {
      await rm(join(cache, name), { recursive: true, force: true });
    }
  }
}
