import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './run.ts';

type Log = (line: string) => void;

const APT_TIMEOUT_MS = 10 * 60_000;
const APT_ENV = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };

/**
 * Installs packages without starting their services. Only where the machine has no policy-rc.d of its own is one put
 * in place ("set -C": never over an existing one), and the shell that did it takes it away again on its way out, also
 * when apt-get fails or is interrupted. It runs in a session of its own, so it gets there when we are killed.
 * One at a time: apt-get update does not wait for another one.
 */
const INSTALL = `
  exec 9</var/lib/dpkg; flock 9
  policy=/usr/sbin/policy-rc.d
  trap 'exit 130' INT HUP TERM
  if (set -C; printf '#!/bin/sh\\nexit 101\\n' > "$policy") 2>/dev/null; then
    trap 'rm -f "$policy"' EXIT
    chmod 755 "$policy"
  fi
  apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"`;

export async function aptInstall(packages: readonly string[], log: Log): Promise<void> {
  log(`installing ${packages.join(', ')} with apt-get, without starting its service`);
  await run(['sh', '-c', INSTALL, 'sh', ...packages], { env: APT_ENV, timeoutMs: APT_TIMEOUT_MS });
}

export interface Distribution {
  /** 'debian', 'ubuntu', … */
  readonly id: string;
  readonly codename: string;
}

export async function readDistribution(): Promise<Distribution> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const value = (key: string): string => new RegExp(`^${key}="?([^"\\n]*)`, 'm').exec(text)?.[1] ?? '';
  return { id: value('ID'), codename: value('VERSION_CODENAME') };
}

export const isRoot = (): boolean => process.getuid?.() === 0;

/** The archive that this machine's own packages come from. */
export async function archiveUri({ codename }: Distribution): Promise<string> {
  const folder = '/etc/apt/sources.list.d';
  const names = await readdir(folder).catch(() => []);
  const files = ['/etc/apt/sources.list', ...names.map((name) => join(folder, name))];
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const uri = file.endsWith('.sources') ? inStanzas(text, codename) : inLines(text, codename);
    if (uri !== undefined) return uri;
  }
  throw new Error(
    `the apt sources of this machine name no http archive of ${codename}: debootstrap needs one`,
  );
}

/** deb822: "URIs: …" and "Suites: …" in one paragraph. */
function inStanzas(text: string, codename: string): string | undefined {
  for (const stanza of text.split(/\n\s*\n/)) {
    const field = (name: string): string[] =>
      new RegExp(`^${name}:[ \\t]*(.+)$`, 'm').exec(stanza)?.[1]?.trim().split(/\s+/) ?? [];
    if (!field('Types').includes('deb') || !field('Suites').includes(codename)) continue;
    const uri = field('URIs').find((candidate) => candidate.startsWith('http'));
    if (uri !== undefined) return uri;
  }
  return undefined;
}

/** One line each: deb [options] URI SUITE COMPONENTS… */
function inLines(text: string, codename: string): string | undefined {
  for (const line of text.split('\n')) {
    const [, uri, suite] = /^deb\s+(?:\[[^\]]*\]\s+)?(http\S+)\s+(\S+)/.exec(line) ?? [];
    if (suite === codename) return uri;
  }
  return undefined;
}
