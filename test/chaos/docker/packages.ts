import { existsSync } from 'node:fs';
import { aptInstall } from '../../support/broker/debian.ts';
import { run } from '../../support/broker/run.ts';

const APT_TIMEOUT_MS = 5 * 60_000;

/** Debian's Docker engine. Where there was none it is taken away again, and with it whatever came along. */
export class DockerPackage implements AsyncDisposable {
  readonly #added: readonly string[];
  readonly #log: (line: string) => void;

  private constructor(added: readonly string[], log: (line: string) => void) {
    this.#added = added;
    this.#log = log;
  }

  static async provide(log: (line: string) => void): Promise<DockerPackage> {
    if (existsSync('/usr/sbin/dockerd')) return new DockerPackage([], log);
    const before = new Set(await installed());
    await aptInstall(['docker.io'], log);
    // A package of its own from Debian 13 on.
    if (!existsSync('/usr/bin/docker')) await aptInstall(['docker-cli'], log);
    const added = (await installed()).filter((name) => !before.has(name));
    return new DockerPackage(added, log);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#added.length === 0) return;
    this.#log(`removing ${this.#added.join(', ')}`);
    const command = ['apt-get', 'purge', '-y', '-qq', '-o', 'DPkg::Lock::Timeout=120', ...this.#added];
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await run(command, { env, timeoutMs: APT_TIMEOUT_MS });
  }
}

async function installed(): Promise<string[]> {
  const lines = (await run(['dpkg', '--get-selections'])).split('\n').map((line) => line.split(/\s+/));
  return lines.filter(([, state]) => state === 'install').map(([name = '']) => name);
}
