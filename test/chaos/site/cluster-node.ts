import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RemoteControl } from '../../support/broker/control.ts';
import { askGuard, type Guard, startGuard } from '../../support/broker/guard-client.ts';
import { nodeEnvironment } from '../../support/broker/node-environment.ts';
import type { Installation } from '../../support/broker/private-node.ts';
import { run } from '../../support/broker/run.ts';
import type { BrokerControl, Remote, Schedulers } from '../../support/broker/types.ts';
import { shutdown } from './erlang.ts';
import type { SiteNode } from './types.ts';

/** The node's folder as the node sees it: mounted there in a mount namespace of its own, in whatever root. */
const HOME = '/mnt';
const DISTRIBUTION_PORT = 25_672;

/** Mounts the node's folder and the hosts of the cluster, then becomes the command; `$0` is the root. */
const INSIDE_MACHINE = `home=$1; shift
  mount --bind "$home/hosts" /etc/hosts && mount --bind "$home" ${HOME} && exec "$@"`;
const INSIDE_ROOT = `home=$1; shift
  mount --bind "$home/hosts" "$0/etc/hosts" && mount --bind "$home" "$0${HOME}" &&
  mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"`;

export interface ClusterNodeOptions {
  readonly name: string;
  readonly installation: Installation;
  /** Puts a command into the node's network namespace. */
  readonly enter: (command: readonly string[]) => string[];
  readonly address: string;
  /** Made by the node, and removed at its end. */
  readonly folder: string;
  /** Its /etc/hosts. */
  readonly hosts: string;
  readonly cookie: string;
  readonly config: string;
  readonly advancedConfig: string;
  readonly plugins: readonly string[];
  readonly netTicktimeS: number;
  readonly schedulers: Schedulers;
}

/** A node of a cluster, in namespaces of its own. It ends, and its folder goes, with this process. */
export class ClusterNode implements SiteNode, Remote {
  readonly name: string;
  readonly url: string;
  readonly control: BrokerControl;
  readonly #options: ClusterNodeOptions;
  readonly #socket: string;
  readonly #output: string;
  #installation: Installation;
  #guard: Guard | undefined;

  constructor(options: ClusterNodeOptions) {
    this.#options = options;
    this.#installation = options.installation;
    this.name = options.name;
    this.url = `amqp://guest:guest@${options.address}:5672`;
    this.control = new RemoteControl(this);
    this.#socket = join(options.folder, 'guard.sock');
    this.#output = join(options.folder, 'output.log');
  }

  get logs(): string {
    return join(this.#options.folder, 'log');
  }

  /** Begins to start; {@link waitUntilOpen} tells when it is open. */
  async boot(): Promise<void> {
    const { folder, hosts, cookie, config, advancedConfig, plugins } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(join(folder, 'hosts'), hosts);
    await writeFile(join(folder, 'rabbitmq.conf'), config);
    await writeFile(join(folder, 'advanced.config'), advancedConfig);
    await writeFile(join(folder, 'enabled_plugins'), `[${plugins.join(',')}].\n`);
    // Stands in for the distribution's own, which would win over our environment.
    await writeFile(join(folder, 'env.conf'), '');
    await writeFile(join(folder, '.erlang.cookie'), cookie, { mode: 0o400 });
    await this.#own([folder]);
  }

  async ctl(args: readonly string[]): Promise<string> {
    const { bin } = this.#installation;
    return run(this.#inside([join(bin, 'rabbitmqctl'), '-q', '-n', this.name, ...args]), {
      env: this.#env(),
    });
  }

  async evalRaw(erlang: string): Promise<string> {
    const { enter, cookie } = this.#options;
    const { root } = this.#installation;
    const erlCall = ['erl_call', '-address', `127.0.0.1:${DISTRIBUTION_PORT}`, '-c', cookie];
    const command = [...(root === '/' ? [] : ['chroot', root]), ...erlCall, '-timeout', '60', '-r', '-e'];
    return run(enter(command), { env: this.#env(), input: `${erlang}\n` });
  }

  async kill(): Promise<void> {
    await askGuard(this.#socket, 'kill');
  }

  async start(): Promise<void> {
    await askGuard(this.#socket, 'start');
  }

  async pid(): Promise<number | undefined> {
    return (await askGuard(this.#socket, 'state')).pid ?? undefined;
  }

  shutdown(): Promise<void> {
    return shutdown(this.control, () => this.pid());
  }

  /** The node must be down. It comes up with the other release, on a copy-free, unchanged data folder. */
  async become(installation: Installation): Promise<void> {
    const { folder } = this.#options;
    // The guard removes the folder at its end, so the data step aside for that moment.
    const aside = `${folder}.aside`;
    await cp(folder, aside, { recursive: true, filter: (path) => !path.endsWith('.sock') });
    await this.#guard?.stop();
    await run(['mv', aside, folder]);
    this.#installation = installation;
    await this.#own([folder]);
  }

  async stop(): Promise<void> {
    await this.#guard?.stop();
  }

  async #own(folders: readonly string[]): Promise<void> {
    this.#guard = await startGuard({
      command: this.#inside(
        [join(this.#installation.bin, 'rabbitmq-server')],
        ['setpriv', '--pdeathsig', 'KILL', '--'],
      ),
      env: this.#env(),
      folders,
      socket: this.#socket,
      output: this.#output,
    });
  }

  #inside(command: readonly string[], leash: readonly string[] = []): string[] {
    const { enter, folder } = this.#options;
    const { root } = this.#installation;
    const script = root === '/' ? INSIDE_MACHINE : INSIDE_ROOT;
    const mounts = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, root, folder];
    return [...leash, ...enter([...mounts, ...command])];
  }

  #env(): Record<string, string> {
    const { name, netTicktimeS, schedulers } = this.#options;
    const kernel = `net_ticktime ${netTicktimeS}`;
    return {
      ...nodeEnvironment({ name, home: HOME, distributionPort: DISTRIBUTION_PORT, kernel, schedulers }),
      HOSTNAME: name.slice(name.indexOf('@') + 1),
    };
  }
}
