import { performance } from 'node:perf_hooks';
import { describe, expect, test, vi } from 'vitest';
import {
  AccessRefusedError,
  BrokerUnreachableError,
  InvalidOptionsError,
  UnsupportedBrokerError,
} from '../../../src/errors.ts';
import {
  BROKER,
  changed,
  everything,
  open,
  proxied,
  queueName,
  refusal,
  silentServer,
  until,
} from './fixtures.ts';

describe('connecting', () => {
  test('a URL function is asked before every connection', async () => {
    const urls = vi.fn(async () => BROKER);
    const session = await open(urls);
    expect(session.state).toBe('open');
    expect(urls).toHaveBeenCalledTimes(2);
  });

  test('a URL function that fails is named as the reason', async () => {
    const cause = new Error('the vault is sealed');
    const error = await refusal(() => Promise.reject(cause), { connectTimeoutMs: 500 });
    expect(error).toBeInstanceOf(BrokerUnreachableError);
    expect(error.cause).toBe(cause);
  });

  test('a URL function that never answers is given up after connectTimeoutMs', async () => {
    const error = await refusal(() => new Promise<string>(() => {}), { connectTimeoutMs: 200 });
    expect(error.message).toMatch(/function .* did not answer in time/);
  });

  test('several URLs are tried in turn', async () => {
    const session = await open([changed({ port: 1 }), BROKER]);
    expect(await session.look(queueName())).toBe('absent');
  });

  test('when no URL works, the most telling error names every host', async () => {
    const error = await refusal([changed({ port: 1 }), changed({ password: 'wrong-secret' })]);
    expect(error).toBeInstanceOf(AccessRefusedError);
    expect(error.message).toContain('127.0.0.1:1:');
    expect(error.message).toContain(new URL(BROKER).host);
  });

  test('a broker that comes up within connectTimeoutMs is found, whichever way it was not there', async () => {
    const proxy = await proxied();
    proxy.refuse();
    const nobody = changed({ port: 1 });
    let up = false;
    const urls = vi.fn(() => (up ? [nobody, proxy.url] : ['amqp://no-such-host.invalid', nobody, proxy.url]));
    const connecting = open(urls, { connectTimeoutMs: 60_000 });
    await until(() => expect(urls.mock.calls.length).toBeGreaterThan(2));
    up = true;
    proxy.accept();
    expect((await connecting).state).toBe('open');
  });

  test('nobody listening is tried for connectTimeoutMs, and the error says where and for how long', async () => {
    const begun = performance.now();
    const error = await refusal(changed({ port: 1 }), { connectTimeoutMs: 1_500 });
    expect(performance.now() - begun).toBeGreaterThan(1_000);
    expect(error).toBeInstanceOf(BrokerUnreachableError);
    expect(error.message).toMatch(/^Nothing listens at 127\.0\.0\.1:1; .* \(tried \d+ times in 1\.\d s\)$/);
  });

  test('of several hosts each is named with its last failure', async () => {
    const proxy = await proxied();
    proxy.refuse();
    const urls = ['amqp://no-such-host.invalid', changed({ port: 1 }), proxy.url];
    const error = await refusal(urls, { connectTimeoutMs: 2_000 });
    expect(error).toBeInstanceOf(BrokerUnreachableError);
    const [, port] = new URL(proxy.url).host.split(':');
    const sentences = [
      'no-such-host\\.invalid:5672: The host name',
      '127\\.0\\.0\\.1:1: Nothing listens',
      `127\\.0\\.0\\.1:${port}: .* broke off the AMQP handshake`,
    ];
    expect(error.message).toMatch(new RegExp(`^None of 3 .*${sentences.join('.*')}.*\\(tried \\d+ times in`));
  });

  test.each([
    ['a refused login', () => changed({ password: 'wrong' })],
    ['a missing virtual host', () => changed({ path: '/no-such-vhost' })],
    ['TLS to a port without TLS', () => BROKER.replace('amqp:', 'amqps:')],
    [
      'a host without a broker beside one that refuses',
      () => [changed({ port: 1 }), changed({ password: 'wrong' })],
    ],
  ])('%s is told at once: waiting does not mend it', async (_, urls) => {
    const begun = performance.now();
    const error = await refusal(urls(), { connectTimeoutMs: 45_000 });
    expect(performance.now() - begun).toBeLessThan(20_000);
    expect(error.message).not.toContain('tried');
  });

  test('TLS to a port without TLS is unreachable', async () => {
    const error = await refusal(BROKER.replace('amqp:', 'amqps:'));
    expect(error).toBeInstanceOf(BrokerUnreachableError);
    expect(error.message).toMatch(/TLS|amqps/);
  });

  test('a refused login names the user and never the password, nor does the log', async () => {
    const logged: unknown[] = [];
    const log = (...line: unknown[]) => void logged.push(line);
    const logger = { debug: log, info: log, warn: log, error: log };
    const error = await refusal(changed({ user: 'mallory', password: 'pa%2Fss-word' }), { logger });
    expect(error).toBeInstanceOf(AccessRefusedError);
    expect(error.message).toContain("'mallory'");
    expect(everything([error, logged])).not.toMatch(/pa(%2F|\/)ss-word/);
  });

  test('a missing virtual host is refused access, and named', async () => {
    const error = await refusal(changed({ path: '/no-such%2Fvhost' }));
    expect(error).toBeInstanceOf(AccessRefusedError);
    expect(error.message).toContain("virtual host 'no-such/vhost'");
  });

  test.each([
    ['amqp://user:pa ss secret@host:99999999/'],
    ['https://user:secret@host'],
    ['amqp://user:secret'],
    ['amqp://user:12/secret@host'],
    ['amqp://user:12#secret@host'],
    ['amqp://user:12?secret@host'],
    ['amqp://user:secret%zz@host'],
    ['amqp://user:secret@host?heartbeat=0'],
    ['amqp://user:secret@host?channelMax=many'],
  ])('a URL that cannot be used is an invalid option and is not quoted: %s', async (url) => {
    const error = await refusal(url);
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect(everything(error)).not.toContain('secret');
  });

  test('a server that accepts and never answers is given up in time, and no socket is left', async () => {
    const { port, sockets } = await silentServer();
    for (const protocol of ['amqp', 'amqps']) {
      const begun = performance.now();
      const error = await refusal(`${protocol}://127.0.0.1:${port}`, { connectTimeoutMs: 300 });
      expect(error).toBeInstanceOf(BrokerUnreachableError);
      expect(error.message).toContain('did not answer within');
      expect(performance.now() - begun).toBeLessThan(1_500);
    }
    await until(() => expect(sockets.map((socket) => socket.closed)).toEqual([true, true]));
  });

  test('a host that never answers leaves time for the next one', async () => {
    const { port } = await silentServer();
    const session = await open([`amqp://127.0.0.1:${port}`, BROKER], { connectTimeoutMs: 2_000 });
    expect(session.state).toBe('open');
  });

  test('a lease that the negotiated heartbeat cannot vouch for is an invalid option, with both numbers', async () => {
    const error = await refusal(changed({ query: '?heartbeat=2' }), {
      leaseMs: 4_000,
      verifyEveryMs: 1_000,
    });
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect(error.message).toContain('2000 ms');
    expect(error.message).toContain('4000');
  });

  test('another product or an old version is unsupported', async () => {
    const proxy = await proxied();
    const swap = (from: RegExp, to: string) => (bytes: Buffer) =>
      Buffer.from(bytes.toString('latin1').replace(from, to), 'latin1');
    proxy.setRewrite(swap(/RabbitMQ(?=.*version)|(?<=product.{5})RabbitMQ/s, 'RabbitMX'));
    const other = await refusal(proxy.url);
    expect(other).toBeInstanceOf(UnsupportedBrokerError);
    expect(other.message).toContain('RabbitMX');
    proxy.setRewrite(swap(/(?<=version.{5})\d/s, '2'));
    const old = await refusal(proxy.url);
    expect(old).toBeInstanceOf(UnsupportedBrokerError);
    await until(() => expect(proxy.openConnections).toBe(0));
  });
});
