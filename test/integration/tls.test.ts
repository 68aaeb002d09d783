import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type ConnectOptions, connect } from '../../src/index.ts';
import { sharedBroker } from '../support/broker/index.ts';
import { makeCertificate, openTlsFront, type TlsFront } from '../support/tls.ts';

const broker = new URL(sharedBroker().url);
const folder = mkdtempSync(join(tmpdir(), 'baton-tls-'));
let certificate: Buffer;
let front: TlsFront;
let url: string;

beforeAll(async () => {
  const server = makeCertificate(folder, 'localhost');
  certificate = server.cert;
  front = await openTlsFront(broker.href, server);
  url = front.url;
});

afterAll(() => {
  front.close();
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

  test('a function for socketOptions is called before every connection, so certificates can be rotated', async () => {
    const own = ['first', 'second'].map((name) => makeCertificate(folder, name));
    let at = 0;
    const socketOptions = vi.fn(async () => ({ ca: certificate, key: own[at]?.key, cert: own[at]?.cert }));
    const before = front.clients.length;
    const baton = await open(url, { socketOptions });
    expect(front.clients.slice(before)).toEqual(['first', 'first']);
    at = 1;
    front.reset();
    await vi.waitFor(
      () => expect(front.clients.slice(before)).toEqual(['first', 'first', 'second', 'second']),
      {
        timeout: 15_000,
        interval: 10,
      },
    );
    await vi.waitFor(() => expect(baton.state).toBe('open'), { timeout: 15_000, interval: 10 });
    expect(socketOptions.mock.calls.length).toBeGreaterThanOrEqual(4);
    await using _ = await baton.lock(`tls:rotated:${process.pid}`).acquire({ timeoutMs: 10_000 });
  });

  test('an authority that nobody vouches for is refused at once, with a hint and without the password', async () => {
    const started = performance.now();
    const error = await connect(url.replace(':guest@', ':hush-hush@'), { connectTimeoutMs: 30_000 }).catch(
      (e: Error) => e,
    );
    expect(error).toMatchObject({ code: 'broker-unreachable' });
    expect(String(error)).toMatch(/certificate/i);
    expect(String(error)).not.toContain('hush-hush');
    expect(performance.now() - started).toBeLessThan(15_000);
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
