/** Real brokers for demo, tests and bench. */
import { RemoteControl } from './control.ts';
import { aptInstall, isRoot, readDistribution } from './debian.ts';
import { provideRoot } from './debian-root.ts';
import { dockerAnswers, startContainer } from './docker.ts';
import { DockerRemote } from './docker-remote.ts';
import { NodeRemote } from './node-remote.ts';
import { findInstallation, type Installation, startPrivateNode } from './private-node.ts';
import { readServerVersion } from './probe.ts';
import type { BrokerControl, BrokerHandle, BrokerVersion, ProvidedBroker, ProvideOptions } from './types.ts';

export type * from './types.ts';

type Log = (line: string) => void;

const SHARED = 'BATON_TEST_BROKER';

export type SharedBroker = Pick<ProvidedBroker, 'url' | 'managementUrl' | 'version' | 'how' | 'control'>;

/**
 * A real broker, by the first of these that is possible: `BATON_URL`; a container, when a Docker engine answers and
 * has the image or gets it within a minute; this machine's rabbitmq-server as a private node; the same after
 * installing it (Debian or Ubuntu, as root). It ends with this process, however this process ends.
 *
 * @throws Error with one sentence that says what to install.
 */
export async function provideBroker(options: ProvideOptions = {}): Promise<ProvidedBroker> {
  const { version = requestedVersion(), log = () => {} } = options;
  const given = process.env.BATON_URL;
  if (given) return useGiven(given);
  if (version === '4.0' || version === '4.3') return startVersion(version, log, options);
  // A container is not given plugins or a configuration.
  const any = version === undefined && options.config === undefined && options.plugins === undefined;
  const container = any ? await tryDocker(log, options.management ?? false) : undefined;
  return container ?? startPrivateNode(findInstallation() ?? (await install(log)), options);
}

function requestedVersion(): BrokerVersion | undefined {
  const version = process.env.BATON_BROKER_VERSION;
  if (!version) return undefined;
  if (version === 'machine' || version === '4.0' || version === '4.3') return version;
  throw new Error(`BATON_BROKER_VERSION must be machine, 4.0 or 4.3, not ${version}`);
}

async function startVersion(
  version: '4.0' | '4.3',
  log: Log,
  options: ProvideOptions,
): Promise<ProvidedBroker> {
  const broker = await startPrivateNode(await provideRoot(version, log), options);
  // Debian testing moves on.
  if (!broker.version.startsWith(`${version}.`)) log(`asked for RabbitMQ ${version}, got ${broker.version}`);
  return broker;
}

async function tryDocker(log: Log, management: boolean): Promise<ProvidedBroker | undefined> {
  if (!(await dockerAnswers())) return undefined;
  try {
    return await startContainer(log, management);
  } catch (error) {
    log(`not with Docker: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}

async function install(log: Log): Promise<Installation> {
  const { id } = await readDistribution();
  if ((id === 'debian' || id === 'ubuntu') && isRoot()) {
    await aptInstall(['rabbitmq-server'], log);
    const installed = findInstallation();
    if (installed) return installed;
  }
  throw new Error(
    'No RabbitMQ to be had here: set BATON_URL to a broker, or install rabbitmq-server, or start a Docker engine.',
  );
}

/** Somebody else's broker: looked at, never touched. */
async function useGiven(url: string): Promise<ProvidedBroker> {
  const version = await readServerVersion(url).catch((error: unknown) => {
    throw new Error(`BATON_URL is set, but no RabbitMQ answers at ${new URL(url).host}`, { cause: error });
  });
  const stop = async (): Promise<void> => {};
  const managementUrl = process.env.BATON_MANAGEMENT_URL;
  const found = { how: 'url', url, version, ...(managementUrl && { managementUrl }) } as const;
  return {
    ...found,
    handle: found,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/**
 * Control, from another process, over a broker provided elsewhere: by default the one of this test run.
 * Undefined for a broker that is not ours.
 */
export function connectControl(handle: BrokerHandle = sharedHandle()): BrokerControl | undefined {
  if (handle.how === 'url') return undefined;
  if (handle.how === 'docker') return new RemoteControl(new DockerRemote(handle));
  return new RemoteControl(new NodeRemote(handle));
}

/** Lets child processes and test workers started from now on reach the broker with {@link sharedBroker}. */
export function shareBroker(broker: ProvidedBroker): void {
  process.env[SHARED] = JSON.stringify(broker.handle);
}

/** The broker of this test run, in any of its processes. */
export function sharedBroker(): SharedBroker {
  const handle = sharedHandle();
  const { url, managementUrl, version, how } = handle;
  const control = connectControl(handle);
  return { url, version, how, ...(managementUrl && { managementUrl }), ...(control && { control }) };
}

function sharedHandle(): BrokerHandle {
  const json = process.env[SHARED];
  if (json === undefined) throw new Error('no broker is shared here: run with vitest --project contract');
  return JSON.parse(json) as BrokerHandle;
}
