import { randomBytes } from 'node:crypto';
import { monotonicMs } from './clock.ts';
import { installClients, installPackage, installServers } from './install.ts';
import { serverKind } from './peers/index.ts';
import type { Peer, Server, ServerId } from './peers/peer.ts';
import { percentile } from './stats.ts';
import { Crew } from './workers/crew.ts';

type Log = (line: string) => void;

/** Everything that runs while the bench does: servers, and the worker processes of each peer. */
export class Ground implements AsyncDisposable {
  readonly package: string;
  readonly servers: ReadonlyMap<ServerId, Server>;
  readonly #crews = new Map<string, Crew>();
  readonly #hopCrews = new Map<ServerId, Crew>();

  private constructor(name: string, servers: ReadonlyMap<ServerId, Server>) {
    this.package = name;
    this.servers = servers;
  }

  /** Installs and starts what these peers take. */
  static async prepare(peers: readonly Peer[], log: Log): Promise<Ground> {
    // The hop is measured in any case.
    const ids = [...new Set(peers.map(({ server }) => server))];
    if (!ids.some((id) => id.startsWith('rabbitmq'))) ids.unshift('rabbitmq-3.10');
    const kinds = await Promise.all(ids.map(serverKind));
    await installServers(kinds, log);
    if (peers.some(({ server }) => !server.startsWith('rabbitmq'))) await installClients(log);
    const name = await installPackage(log);
    log(`starting ${ids.join(', ')}`);
    const servers = new Map<ServerId, Server>();
    const starts = await Promise.allSettled(
      kinds.map(async (kind, index) => {
        const id = ids[index];
        if (id !== undefined) servers.set(id, await kind.start({ nodes: 1, log }));
      }),
    );
    const ground = new Ground(name, servers);
    const failed = starts.find((start) => start.status === 'rejected');
    if (failed === undefined) return ground;
    await ground[Symbol.asyncDispose]();
    throw failed.reason;
  }

  server(id: ServerId): Server {
    const server = this.servers.get(id);
    if (server === undefined) throw new Error(`${id} was not started`);
    return server;
  }

  /** Four processes, started when they are first wanted. */
  crew(peer: Peer): Crew {
    const crew = this.#crews.get(peer.id) ?? new Crew(peer);
    this.#crews.set(peer.id, crew);
    return crew;
  }

  /** After a failure nobody knows what they are still at. */
  dismiss(peer: Peer): void {
    this.#crews.get(peer.id)?.stop();
    this.#crews.delete(peer.id);
  }

  /** The median of one-way hops on this RabbitMQ, in milliseconds. */
  async hop(server: ServerId, ms: number): Promise<number> {
    const crew = this.#hopCrews.get(server) ?? new Crew({ id: 'hop', server });
    this.#hopCrews.set(server, crew);
    const [ping, pong] = crew.workers(2);
    if (ping === undefined || pong === undefined) throw new Error('a hop has two ends');
    const [url = ''] = this.server(server).urls;
    const [one, other] = [lockName(), lockName()];
    const answering = pong.call('hop', { url, from: one, to: other, untilMs: undefined });
    try {
      const untilMs = monotonicMs() + ms;
      return percentile(await ping.call('hop', { url, from: other, to: one, untilMs }), 50);
    } finally {
      await pong.call('stopHop');
      await answering;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const crew of [...this.#crews.values(), ...this.#hopCrews.values()]) crew.stop();
    await Promise.all([...this.servers.values()].map((server) => server.stop()));
  }
}

/** Nobody has had it before. */
export const lockName = (): string => `bench-${randomBytes(6).toString('hex')}`;
