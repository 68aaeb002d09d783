import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { open, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { enterRoot } from '../../support/broker/roots.ts';
import { run } from '../../support/broker/run.ts';

const START_TIMEOUT_MS = 60_000;

/**
 * Network, mounts and processes of the engine are its own: its bridge, its firewall rules and what it mounts are
 * nobody else's business, and all of it ends with its first process. No NAT either: a port of a container is
 * forwarded by a process of Docker's.
 */
const ISOLATED = [
  'unshare',
  '--net',
  '--mount',
  '--propagation=private',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
];
/** A /run of its own: no folders are left there, and no containerd of the machine is found and used. */
const START = 'ip link set lo up && mount -t tmpfs tmpfs /run && exec dockerd "$@"';

/** A Docker engine of our own, for as long as this process lives. */
export class Engine implements AsyncDisposable {
  readonly #folder: string;
  readonly #cgroups: string;
  readonly #process: ChildProcess;

  private constructor(folder: string, cgroups: string, child: ChildProcess) {
    this.#folder = folder;
    this.#cgroups = cgroups;
    this.#process = child;
  }

  /** `folder`: for its socket, data and log; removed at the end. */
  static async start(folder: string): Promise<Engine> {
    const log = await open(join(folder, 'dockerd.log'), 'w');
    const cgroups = `batonmq-${randomBytes(4).toString('hex')}`;
    const options = {
      host: `unix://${join(folder, 'docker.sock')}`,
      'data-root': join(folder, 'data'),
      'exec-root': join(folder, 'exec'),
      pidfile: join(folder, 'docker.pid'),
      'storage-driver': 'vfs',
      'cgroup-parent': `/${cgroups}`,
      iptables: 'false',
      ip6tables: 'false',
    };
    const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
    const [file = '', ...rest] = enterRoot('/', [...ISOLATED, 'sh', '-c', START, 'sh', ...args], {
      dieWithParent: true,
    });
    const child = spawn(file, rest, { stdio: ['ignore', log.fd, log.fd] });
    const engine = new Engine(folder, cgroups, child);
    await log.close();
    try {
      await engine.#waitUntilItAnswers();
    } catch (error) {
      const said = await readFile(join(folder, 'dockerd.log'), 'utf8');
      await engine[Symbol.asyncDispose]();
      throw new Error(`dockerd did not start: ${said.slice(-3000)}`, { cause: error });
    }
    return engine;
  }

  /** For programs that are to use it; they must also be {@link inside} to reach the ports of its containers. */
  get env(): Record<string, string> {
    return { DOCKER_HOST: `unix://${join(this.#folder, 'docker.sock')}` };
  }

  /** The command line that runs a command in the engine's network. */
  inside(command: readonly string[]): string[] {
    return ['nsenter', `--net=/proc/${this.#process.pid}/ns/net`, '--', ...command];
  }

  /** The docker command of this engine. */
  async docker(...args: string[]): Promise<string> {
    return run(['docker', ...args], { env: { ...process.env, ...this.env } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const ended = once(this.#process, 'exit');
      this.#process.kill('SIGKILL');
      await ended;
    }
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    await removeCgroups(this.#cgroups);
  }

  async #waitUntilItAnswers(): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      if (this.#process.exitCode !== null) throw new Error(`it ended with ${this.#process.exitCode}`);
      try {
        await this.docker('version');
        return;
      } catch (error) {
        if (performance.now() > deadline) throw error;
      }
      await sleep(100);
    }
  }
}

/** The kernel keeps empty groups until somebody removes them, the innermost first. */
async function removeCgroups(name: string): Promise<void> {
  const root = '/sys/fs/cgroup';
  const hierarchies = ['', ...(await readdir(root).catch(() => []))];
  for (const hierarchy of hierarchies) {
    const top = join(root, hierarchy, name);
    const below = await readdir(top, { recursive: true, withFileTypes: true }).catch(() => []);
    const groups = below.filter((each) => each.isDirectory()).map((each) => join(each.parentPath, each.name));
    for (const group of [...groups.reverse(), top]) await rmdir(group).catch(() => {});
  }
}
