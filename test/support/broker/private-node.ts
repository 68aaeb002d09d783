import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RemoteControl } from './control.ts';
import { askGuard, startGuard } from './guard-client.ts';
import { nodeEnvironment } from './node-environment.ts';
import { NodeRemote } from './node-remote.ts';
import { freePort, waitUntilOpen } from './probe.ts';
import { enterRoot } from './roots.ts';
import type { NodeHandle, ProvidedBroker, ProvideOptions } from './types.ts';

export interface Installation {
  readonly how: NodeHandle['how'];
  readonly root: string;
  /** The folder of rabbitmq-server and rabbitmqctl inside the root. */
  readonly bin: string;
}

type PrivateNodeOptions = Pick<ProvideOptions, 'management' | 'schedulers' | 'plugins' | 'config' | 'files'>;

/** Ports are chosen before the node takes them, so somebody else may be faster. */
const ATTEMPTS = 3;

/** Starts a node of our own beside whatever else this machine runs: own name, ports, cookie, data and config. */
export async function startPrivateNode(
  installation: Installation,
  options: PrivateNodeOptions = {},
): Promise<ProvidedBroker> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await boot(installation, options);
    } catch (error) {
      if (attempt === ATTEMPTS || !String(error).includes('eaddrinuse')) throw error;
    }
  }
}

async function boot(
  { how, root, bin }: Installation,
  {
    management = false,
    schedulers = 'light',
    plugins = [],
    config = () => [],
    files = {},
  }: PrivateNodeOptions,
): Promise<ProvidedBroker> {
  // The guard's socket must lie outside the root: the path of a unix socket must stay under 108 bytes.
  const outer = await mkdtemp(join(tmpdir(), 'batonmq-'));
  const id = randomBytes(6).toString('hex');
  const home = root === '/' ? outer : `/tmp/batonmq-${id}`;
  const folders = root === '/' ? [outer] : [outer, join(root, home)];
  const [port, distributionPort] = [await freePort(), await freePort()];
  const url = `amqp://guest:guest@127.0.0.1:${port}`;
  const socket = join(outer, 'guard.sock');
  const nodeName = `batonmq-${id}@localhost`;
  const managementPort = management ? await freePort() : undefined;
  const managementUrl = managementPort && `http://127.0.0.1:${managementPort}`;
  const handle = {
    how,
    url,
    ...(managementUrl && { managementUrl }),
    version: '',
    nodeName,
    port,
    distributionPort,
    root,
    home,
    socket,
    bin,
  };
  await writeHome(join(root, home), {
    port,
    managementPort,
    plugins: management ? ['rabbitmq_management', ...plugins] : plugins,
    config: config(home),
    files,
  });

  const output = join(outer, 'output.log');
  const command = enterRoot(root, [join(bin, 'rabbitmq-server')], { dieWithParent: true });
  const env = {
    ...nodeEnvironment({
      name: nodeName,
      home,
      distributionPort,
      kernel: 'inet_dist_use_interface {127,0,0,1}',
      schedulers,
    }),
    // Should epmd not be running yet, the node starts it; then on loopback only.
    ERL_EPMD_ADDRESS: '127.0.0.1',
  };
  const guard = await startGuard({
    command,
    env,
    folders,
    socket,
    output,
  }).catch(async (error: unknown) => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
    throw error;
  });
  try {
    const alive = async (): Promise<void> => {
      if ((await askGuard(socket, 'state')).pid === null)
        throw new Error('the node ended while it was starting');
    };
    const version = await waitUntilOpen(url, { alive });
    const provided = { ...handle, version };
    const control = new RemoteControl(new NodeRemote(provided));
    const stop = (): Promise<void> => guard.stop();
    return {
      url,
      ...(managementUrl && { managementUrl }),
      version,
      how,
      control,
      handle: provided,
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    const text = (await readFile(output, 'utf8').catch(() => '')).trim();
    await guard.stop();
    throw new Error(`rabbitmq-server did not start: ${text.slice(-3000)}`, { cause: error });
  }
}

interface Home extends Required<Pick<ProvideOptions, 'plugins' | 'files'>> {
  readonly port: number;
  readonly managementPort: number | undefined;
  readonly config: readonly string[];
}

async function writeHome(
  home: string,
  { port, managementPort, plugins, config, files }: Home,
): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const lines = [
    `listeners.tcp.1 = 127.0.0.1:${port}`,
    'loopback_users = none',
    // The default is 50 MB free on the disk, relative ones depend on the machine's memory: no alarm of that kind here.
    'disk_free_limit.absolute = 1MB',
    ...(managementPort === undefined
      ? []
      : [`management.tcp.port = ${managementPort}`, 'management.tcp.ip = 127.0.0.1']),
    ...config,
  ];
  await writeFile(join(home, 'rabbitmq.conf'), `${lines.join('\n')}\n`);
  await writeFile(join(home, 'enabled_plugins'), `[${plugins.join(',')}].\n`);
  for (const [name, text] of Object.entries(files)) await writeFile(join(home, name), text);
  // Stands in for the distribution's /etc/rabbitmq/rabbitmq-env.conf, which would win over our environment.
  await writeFile(join(home, 'env.conf'), '');
  await writeFile(join(home, '.erlang.cookie'), randomBytes(15).toString('hex'), { mode: 0o400 });
}

/** The machine's own RabbitMQ, if there is one. */
export function findInstallation(root = '/', how: NodeHandle['how'] = 'machine'): Installation | undefined {
  const bins = [
    // First, because Debian's command in the PATH changes user, home and log files.
    '/usr/lib/rabbitmq/bin',
    '/opt/rabbitmq/sbin',
    '/opt/homebrew/opt/rabbitmq/sbin',
    '/usr/local/opt/rabbitmq/sbin',
    ...(root === '/' ? (process.env.PATH ?? '').split(':').filter(Boolean) : []),
  ];
  const bin = bins.find((folder) => existsSync(join(root, folder, 'rabbitmq-server')));
  return bin === undefined ? undefined : { how, root, bin };
}
