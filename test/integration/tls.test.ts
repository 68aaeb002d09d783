import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type ConnectOptions, connect } from '../../src/index.ts';
import { sharedBroker } from '../support/broker/index.ts';

const broker = new URL(sharedBroker().url);
const folder = mkdtempSync(join(tmpdir(), 'baton-tls-'));
let certificate: Buffer;
let server: Server;
let url: string;

beforeAll(async () => {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const request = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-keyout',
    key,
    '-out',
    cert,
  ];
  execFileSync('openssl', [...request, ...subject], { stdio: 'pipe' });
  certificate = readFileSync(cert);
  // TLS ends here and goes on in plain: the handshake is what is tested, and that needs no broker with certificates.
  server = createServer({ key: readFileSync(key), cert: certificate }, (socket) => {
    const plain = connectTcp(Number(broker.port), broker.hostname);
    socket.pipe(plain).pipe(socket);
    for (const end of [socket, plain]) end.on('error', () => end.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  url = `amqps://${broker.username}:${broker.password}@localhost:${port}`;
});

afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

async function open(at: string, options: ConnectOptions) {
  const baton = await connect(at, options);
  onTestFinished(() => baton.close());
  return baton;
}

describe('over TLS', () => {
  test('a lock is taken, verified and released, with the authority given in socketOptions', async () => {
    const baton = await open(url, { socketOptions: { ca: certificate } });
    const lease = await baton.lock(`tls:${process.pid}`).acquire({ timeoutMs: 10_000 });
    await lease.verify();
    await lease.release();
  });

  test('an authority that nobody vouches for is refused, with a hint and without the password', async () => {
    const error = await connect(url.replace(':guest@', ':hush-hush@'), { connectTimeoutMs: 5_000 }).catch(
      (e: Error) => e,
    );
    expect(error).toMatchObject({ code: 'broker-unreachable' });
    expect(String(error)).toMatch(/certificate/i);
    expect(String(error)).not.toContain('hush-hush');
  });

  test('credentials given in socketOptions replace those of the URL', async () => {
    const plain = (user: string, password: string) => ({
      mechanism: 'PLAIN',
      response: () => Buffer.from(`\u0000${user}\u0000${password}`),
    });
    const wrong = url.replace(':guest@', ':wrong@');
    const baton = await open(wrong, {
      socketOptions: { ca: certificate, credentials: plain(broker.username, broker.password) },
    });
    expect(baton.state).toBe('open');
    const refused = await connect(url, {
      socketOptions: { ca: certificate, credentials: plain(broker.username, 'nope') },
    }).catch((e: Error) => e);
    expect(refused).toMatchObject({ code: 'access-refused' });
  });
});
