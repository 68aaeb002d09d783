/**
 * A forwarder in this process that puts words into the broker's mouth, which a FaultProxy does not: it keeps every
 * length. It is never frozen itself, so in front of a frozen FaultProxy it still sees when the client hangs up.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Rewrite } from './proxy-link.ts';

export class Tap {
  /** The target's URL with the tap's address. */
  readonly url: string;
  readonly #server: Server;
  readonly #clients: Socket[] = [];
  #rewrite: Rewrite = (bytes) => bytes;

  /** Internal: use {@link openTap}. */
  constructor(server: Server, url: string, target: URL) {
    this.#server = server;
    this.url = url;
    server.on('connection', (client) => this.#accept(client, target));
  }

  /** The clients' connections, oldest first, the closed ones too. */
  get connections(): readonly Socket[] {
    return this.#clients;
  }

  get openConnections(): number {
    return this.#clients.filter((client) => !client.closed).length;
  }

  /** From now on sees every chunk from server to client, and may return more or less. */
  setRewrite(rewrite: Rewrite): void {
    this.#rewrite = rewrite;
  }

  close(): void {
    this.#server.close();
    for (const client of this.#clients) client.destroy();
  }

  #accept(client: Socket, target: URL): void {
    this.#clients.push(client);
    const server = connect({ host: target.hostname, port: Number(target.port || 5672), noDelay: true });
    client.on('data', (bytes) => server.write(bytes));
    server.on('data', (bytes) => client.write(this.#rewrite(bytes)));
    for (const [one, other] of [[client, server] as const, [server, client] as const]) {
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
  }
}

export async function openTap(targetUrl: string): Promise<Tap> {
  const server = createServer({ noDelay: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the tap has no port');
  const url = new URL(targetUrl);
  url.host = `127.0.0.1:${address.port}`;
  return new Tap(server, url.href, new URL(targetUrl));
}
