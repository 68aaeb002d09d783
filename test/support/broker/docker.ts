import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect, type NetConnectOpts } from 'node:net';
import { homedir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ContainerRuntimeClient } from 'testcontainers';
import { RemoteControl } from './control.ts';
import { DockerRemote } from './docker-remote.ts';
import { freePort, waitUntilOpen } from './probe.ts';
import type { ProvidedBroker } from './types.ts';

const COMPOSE_ENV = fileURLToPath(new URL('../../../compose/.env', import.meta.url));
const ENGINE_TIMEOUT_MS = 1_500;
const IMAGE_TIMEOUT_MS = 60_000;
const START_TIMEOUT_MS = 90_000;

/** The image named in compose/.env, the one place for it. */
export async function readImageName(): Promise<string> {
  const image = /^RABBITMQ_IMAGE=(\S+)/m.exec(await readFile(COMPOSE_ENV, 'utf8'))?.[1];
  if (image === undefined) throw new Error(`${COMPOSE_ENV} sets no RABBITMQ_IMAGE`);
  return image;
}

/** Whether a Docker engine answers at one of the usual places. Asked by hand: testcontainers takes seconds to say no. */
export async function dockerAnswers(): Promise<boolean> {
  const answers = await Promise.all(enginePlaces().map((place) => ping(place).catch(() => false)));
  return answers.includes(true);
}

function enginePlaces(): NetConnectOpts[] {
  const host = process.env.DOCKER_HOST;
  if (host?.startsWith('unix://')) return [{ path: host.slice('unix://'.length) }];
  if (host) {
    const { hostname, port } = new URL(host);
    return [{ host: hostname, port: Number(port) || 2375 }];
  }
  const sockets = [
    '/var/run/docker.sock',
    `${process.env.XDG_RUNTIME_DIR ?? '/run/user'}/docker.sock`,
    `${homedir()}/.docker/run/docker.sock`,
    `${homedir()}/.docker/desktop/docker.sock`,
  ];
  return sockets.filter((path) => existsSync(path)).map((path) => ({ path }));
}

async function ping(place: NetConnectOpts): Promise<boolean> {
  const socket = connect(place);
  try {
    const signal = AbortSignal.timeout(ENGINE_TIMEOUT_MS);
    await once(socket, 'connect', { signal });
    // Behind TLS all that can be told cheaply is that somebody listens.
    if (process.env.DOCKER_TLS_VERIFY) return true;
    socket.write('GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n');
    const [head] = await once(socket, 'data', { signal });
    return /^HTTP\/1\.[01] 200/.test(String(head));
  } finally {
    socket.destroy();
  }
}

/** Starts a container; throws when the image is not to be had within a minute or the container does not start. */
export async function startContainer(
  log: (line: string) => void,
  management = false,
): Promise<ProvidedBroker> {
  // Loaded here only: half a second that nobody without Docker should pay.
  const { GenericContainer, getContainerRuntimeClient, ImageName, Wait } = await import('testcontainers');
  const image = await readImageName();
  const client = await getContainerRuntimeClient();
  if (!(await client.image.exists(ImageName.fromString(image)))) {
    log(`pulling ${image}`);
    await pull(client, image);
  }
  log(`starting ${image}`);
  // A fixed port: Docker gives a container with a random one another at each start.
  const port = await freePort();
  const managementPort = management ? await freePort() : undefined;
  const starting = new GenericContainer(image)
    .withExposedPorts(
      { container: 5672, host: port },
      ...(managementPort === undefined ? [] : [{ container: 15672, host: managementPort }]),
    )
    .withWaitStrategy(Wait.forLogMessage(/Server startup complete/))
    .withStartupTimeout(START_TIMEOUT_MS)
    .start();
  // The image of testcontainers' own reaper may have to be pulled as well, which knows no time limit.
  const container = await orGiveUp(starting, START_TIMEOUT_MS, () => {
    starting.then((late) => late.stop()).catch(() => {});
  });
  try {
    const url = `amqp://guest:guest@${container.getHost()}:${port}`;
    const version = await waitUntilOpen(url);
    if (management) await container.exec(['rabbitmq-plugins', '-q', 'enable', 'rabbitmq_management']);
    const managementUrl = managementPort && `http://${container.getHost()}:${managementPort}`;
    const found = { how: 'docker', url, version, ...(managementUrl && { managementUrl }) } as const;
    const handle = { ...found, containerId: container.getId() };
    const control = new RemoteControl(new DockerRemote(handle));
    let stopped: Promise<unknown> | undefined;
    const stop = async (): Promise<void> => {
      stopped ??= container.stop({ remove: true, removeVolumes: true, timeout: 0 });
      await stopped;
    };
    return { ...found, control, handle, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await container.stop();
    throw error;
  }
}

/** By dockerode, because testcontainers' own pull cannot be given up. */
async function pull(client: ContainerRuntimeClient, image: string): Promise<void> {
  const { dockerode } = client.container;
  const stream = await orGiveUp(dockerode.pull(image), IMAGE_TIMEOUT_MS);
  const done = new Promise<void>((resolve, reject) => {
    dockerode.modem.followProgress(stream, (error) => (error ? reject(error) : resolve()));
  });
  await orGiveUp(done, IMAGE_TIMEOUT_MS, () => {
    if ('destroy' in stream && typeof stream.destroy === 'function') stream.destroy();
  });
}

async function orGiveUp<T>(work: Promise<T>, timeoutMs: number, giveUp?: () => void): Promise<T> {
  const timer = new AbortController();
  const late = sleep(timeoutMs, undefined, { signal: timer.signal }).then(() => {
    giveUp?.();
    throw new Error(`no result within ${timeoutMs} ms`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    work.catch(() => {});
    timer.abort();
  }
}
