/**
 * A TCP proxy in this process that stands between a client and a broker, to do what networks do:
 * fall silent without closing anything, break, refuse. It also counts what crosses it.
 */
import { createServer, type Socket } from 'node:net';
import {
  type Direction,
  type ProxiedConnection,
  ProxyLink,
  type Rewrite,
  type Traffic,
  traffic,
  type Watch,
} from './proxy-link.ts';

export type { Direction, ProxiedConnection, Rewrite, Traffic, Watch } from './proxy-link.ts';

export interface ProxyOptions {
  /** Sees every chunk from server to client and returns one of the same length. */
  readonly rewrite?: Rewrite;
  /** Sees every frame before it is passed on. */
  readonly watch?: Watch;
  /** Called when a connection is gone. */
  readonly onClose?: (link: ProxyLink) => void;
  /** Whether `connections` keeps those that are closed, and every connection what it sent. Default: true. */
  readonly keepHistory?: boolean;
}

export class FaultProxy {
  /** The target's URL with the proxy's address: same credentials, path and query. */
  readonly url: string;
  readonly #links = new Set<ProxyLink>();
  readonly #all: ProxyLink[] = [];
  readonly #options: ProxyOptions;
  #accepted = 0;
  readonly #server;
  #frozen = false;
  #refusing = false;
  #rewrite: Rewrite | undefined;
  #toServer = traffic();
  #toClient = traffic();

  /** Internal: use {@link openProxy}. */
  constructor(
    server: ReturnType<typeof createServer>,
    url: string,
    host: string,
    port: number,
    options: ProxyOptions,
  ) {
    this.#server = server;
    this.url = url;
    this.#rewrite = options.rewrite;
    this.#options = options;
    server.on('connection', (client) => this.#accept(client, host, port));
  }

  /** Everything the clients sent since the start or the last {@link resetCounters}. */
  get toServer(): Traffic {
    return this.#toServer;
  }

  /** Everything the broker sent. */
  get toClient(): Traffic {
    return this.#toClient;
  }

  /** Every connection ever accepted, oldest first, the closed ones too. */
  get connections(): readonly ProxiedConnection[] {
    return this.#all;
  }

  /** Connections that are open now. */
  get openConnections(): number {
    return this.#links.size;
  }

  /** The methods clients sent, all connections together: `sent('basic.publish')`. */
  sent(method: string): number {
    return this.#toServer.methods.get(method) ?? 0;
  }

  /** Starts the sums again from zero; the lists of the single connections stay. */
  resetCounters(): void {
    this.#toServer = traffic();
    this.#toClient = traffic();
  }

  /** From now on (undefined: no longer) sees every chunk from server to client. */
  setRewrite(rewrite: Rewrite | undefined): void {
    this.#rewrite = rewrite;
  }

  /**
   * Bytes, ends and closes stop, in both directions or in one; new connections are accepted and hear nothing.
   */
  freeze(directions?: readonly Direction[]): void {
    this.#frozen = true;
    for (const link of this.#links) link.freeze(directions);
  }

  /** Everything that was held flows on, in order. */
  thaw(): void {
    this.#frozen = false;
    for (const link of [...this.#links]) link.thaw();
  }

  /** Breaks every connection with RST on both sides, frozen or not. New ones are still accepted. */
  reset(): void {
    for (const link of [...this.#links]) link.reset();
  }

  /** New connections are destroyed at once; those that are open stay. */
  refuse(): void {
    this.#refusing = true;
  }

  accept(): void {
    this.#refusing = false;
  }

  /** Breaks what is open and stops listening. Idempotent. */
  async close(): Promise<void> {
    this.#refusing = true;
    this.reset();
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #accept(client: Socket, host: string, port: number): void {
    if (this.#refusing) {
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    const { watch, onClose, keepHistory = true } = this.#options;
    this.#accepted += 1;
    const link = new ProxyLink(client, {
      id: this.#accepted,
      host,
      port,
      frozen: this.#frozen,
      rewrite: (bytes) => this.#rewrite?.(bytes) ?? bytes,
      sums: () => ({ toServer: this.#toServer, toClient: this.#toClient }),
      watch,
      keepSent: keepHistory,
      onClose: () => {
        this.#links.delete(link);
        onClose?.(link);
      },
    });
    this.#links.add(link);
    if (keepHistory) this.#all.push(link);
  }
}

/** Opens a proxy on a free port of 127.0.0.1 in front of the broker at `targetUrl`. */
export async function openProxy(targetUrl: string, options: ProxyOptions = {}): Promise<FaultProxy> {
  const target = new URL(targetUrl);
  const port = Number(target.port) || (target.protocol === 'amqps:' ? 5671 : 5672);
  // allowHalfOpen: an end is one more thing to carry, or to hold back while frozen, not to answer by itself.
  const server = createServer({ noDelay: true, allowHalfOpen: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  const url = new URL(targetUrl);
  url.hostname = '127.0.0.1';
  url.port = String(address.port);
  return new FaultProxy(server, url.href, target.hostname.replace(/^\[|\]$/g, ''), port, options);
}
