import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { askGuard, type Guard, startGuard } from '../../test/support/broker/guard-client.ts';
import { freePort } from '../../test/support/broker/probe.ts';
import { run } from '../../test/support/broker/run.ts';
import type { Server } from './peer.ts';
import { withDescendants } from './processes.ts';

/** Where one node of a server lives. */
export interface Place {
  /** Of its own, removed at the end. */
  readonly folder: string;
  /** On loopback: the first is that of the clients. */
  readonly ports: readonly [number, number, number];
}

export interface DaemonSpec {
  readonly name: string;
  /** Its version is shown. */
  readonly package: string;
  readonly places: readonly Place[];
  readonly command: (place: Place, index: number) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly url: (place: Place) => string;
  /** Further conditions; by default a node is ready when it accepts connections. */
  readonly ready?: () => Promise<void>;
  readonly leader?: (lock: string) => Promise<number>;
  /** It is started again, with its data, before each case. */
  readonly startedAnew?: true;
}

const START_TIMEOUT_MS = 60_000;
/** A server that is starting may take a connection and never answer on it. */
export const ANSWER_MS = 3_000;

export async function places(count: number): Promise<Place[]> {
  const folders = Array.from({ length: count }, () => mkdtemp(join(tmpdir(), 'batonmq-bench-')));
  return Promise.all(
    folders.map(async (folder) => ({
      folder: await folder,
      ports: [await freePort(), await freePort(), await freePort()],
    })),
  );
}

/** Starts a server by hand. Its processes and folders go when this process does, in whatever way. */
export async function startDaemon(spec: DaemonSpec): Promise<Server> {
  const guards: Guard[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(guards.map((guard) => guard.stop()));
    for (const { folder } of spec.places) await rm(folder, { recursive: true, force: true });
  };
  const socketOf = ({ folder }: Place) => join(folder, 'guard.sock');
  const pidOf = async (place: Place) => (await askGuard(socketOf(place), 'state')).pid;
  const untilUp = async (): Promise<void> => {
    for (const place of spec.places) {
      await untilReady(spec, async () => {
        if ((await pidOf(place)) === null)
          throw new Error(await run(['tail', '-n', '20', join(place.folder, 'output.log')]));
        await accepts(place.ports[0]);
      });
    }
    if (spec.ready !== undefined) await untilReady(spec, spec.ready);
  };
  const renew = async (): Promise<void> => {
    for (const place of spec.places) {
      await askGuard(socketOf(place), 'kill');
      await askGuard(socketOf(place), 'start');
    }
    await untilUp();
  };
  try {
    for (const [index, place] of spec.places.entries()) {
      const guard = await startGuard({
        command: ['/usr/bin/setpriv', '--pdeathsig', 'KILL', '--', ...spec.command(place, index)],
        env: { PATH: process.env.PATH ?? '', HOME: place.folder, LANG: 'C.UTF-8', ...spec.env },
        folders: [place.folder],
        socket: socketOf(place),
        output: join(place.folder, 'output.log'),
      });
      guards.push(guard);
    }
    await untilUp();
    const [, version = ''] = (await run(['dpkg-query', '--show', spec.package])).trim().split('\t');
    const { leader, places: all } = spec;
    return {
      urls: all.map(spec.url),
      version: `${spec.name} ${version.replace(/^\d+:/, '').replace(/[-+~].*$/, '')}`,
      pids: async () => {
        const pids = await Promise.all(all.map(pidOf));
        return (await Promise.all(pids.map((pid) => (pid === null ? [] : withDescendants(pid))))).flat();
      },
      kill: async (node) => {
        const place = all[node];
        if (place !== undefined) await askGuard(socketOf(place), 'kill');
      },
      ...(leader && { leader }),
      ...(spec.startedAnew && { renew }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function untilReady({ name }: DaemonSpec, check: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      const silent = pause(ANSWER_MS, undefined, { ref: false }).then(() => {
        throw new Error(`${name} does not answer`);
      });
      return await Promise.race([check(), silent]);
    } catch (error) {
      if (performance.now() > deadline) throw new Error(`${name} did not start`, { cause: error });
      await pause(100);
    }
  }
}

async function accepts(port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', reject);
    socket.on('connect', () => {
      socket.destroy();
      resolve();
    });
  });
}
