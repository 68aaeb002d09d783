import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';

const PROTOCOL_HEADER = Buffer.from('AMQP\0\0\x09\x01', 'latin1');

/** Opens a connection, reads connection.start and leaves: a broker that answers this accepts clients. */
export async function readServerVersion(url: string, timeoutMs = 5_000): Promise<string> {
  const { protocol, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const secure = protocol === 'amqps:';
  const socket = secure
    ? connectTls({ host, port: Number(port) || 5671, servername: host, rejectUnauthorized: false })
    : connect({ host, port: Number(port) || 5672 });
  try {
    return await new Promise((resolve, reject) => {
      let bytes = Buffer.alloc(0);
      socket.setTimeout(timeoutMs, () => reject(new Error(`no answer within ${timeoutMs} ms`)));
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('the connection was closed')));
      socket.on('data', (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]);
        if (bytes.length >= 7 && bytes.length >= bytes.readUInt32BE(3) + 8) resolve(versionIn(bytes));
      });
      socket.write(PROTOCOL_HEADER);
    });
  } finally {
    socket.destroy();
  }
}

/** In the server-properties table the entry is a short string "version", then 'S' and a long string. */
function versionIn(start: Buffer): string {
  const key = Buffer.from('\x07versionS', 'latin1');
  const at = start.indexOf(key);
  if (at < 0) return 'unknown';
  const from = at + key.length;
  return start.toString('utf8', from + 4, from + 4 + start.readUInt32BE(from));
}

export interface WaitForBroker {
  readonly timeoutMs?: number;
  /** Looked at between two attempts; throws when waiting has become pointless. */
  readonly alive?: () => Promise<void>;
}

/** Resolves with the broker's version as soon as it accepts connections. */
export async function waitUntilOpen(url: string, options: WaitForBroker = {}): Promise<string> {
  const { timeoutMs = 180_000, alive } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await readServerVersion(url, 2_000);
    } catch (error) {
      if (performance.now() > deadline) {
        throw new Error(`the broker did not open its port within ${timeoutMs} ms`, { cause: error });
      }
    }
    await alive?.();
    await sleep(50);
  }
}

/**
 * A port nobody listens on, from below the ranges from which systems take the ports of outgoing connections:
 * else, while the broker is down, somebody's connection could take its port, and a client that dials it could
 * even connect to itself.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    if (await isFree(port)) return port;
  }
  throw new Error('found no free port between 20000 and 30000');
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
