import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Management } from '../../../src/cli/management/client.ts';
import { UsageError } from '../../../src/cli/usage-error.ts';
import { Destination, parseAddresses } from '../../../src/rabbitmq/address.ts';
import { makeCertificate } from '../../support/tls.ts';

function managementOf(brokerUrl: string, text?: string, socketOptions = {}): Management {
  const [broker] = parseAddresses(brokerUrl);
  if (broker === undefined) throw new Error('no address');
  const given = text === undefined ? undefined : { text, what: '--management-url' };
  return new Management(new Destination(brokerUrl, socketOptions), broker, given);
}

/** Resolves with its port. */
async function listen(server: Server): Promise<number> {
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

test.each([
  ['mq1:15672', 'must begin with http:// or https://; got neither'],
  ['amqp://mq1', 'must begin with http:// or https://; got neither'],
  ['http://', 'cannot be read; percent-encode special characters of user, password and path'],
  ['http://me:hush hush@', 'cannot be read; percent-encode special characters of user, password and path'],
  ['http://me:hu%sh@mq1', 'has a % that is not followed by two hex digits; write %25 for a percent sign'],
  [
    'http://me:12/hush@mq1',
    'has an @ or # after the host; percent-encode / ? # @ in user, password and path',
  ],
  [
    'http://me:12#hush@mq1',
    'has an @ or # after the host; percent-encode / ? # @ in user, password and path',
  ],
])('the management URL %s is refused by its flag, and is not quoted', (url, problem) => {
  expect(() => managementOf('amqp://mq1', url)).toThrow(new UsageError(`--management-url ${problem}`));
});

test.each([
  ['amqp://[::1]:1', undefined, '[::1]:15672'],
  ['amqps://[::1]', undefined, '[::1]:15671'],
  ['amqp://mq1', 'http://[::1]:1', '[::1]:1'],
  ['amqp://mq1', 'http://[::1]', '[::1]:80'],
  ['amqp://mq1', 'https://me:hush@[::1]', '[::1]:443'],
])('of the broker %s and the URL %s it is told where it was asked', async (broker, url, where) => {
  await expect(managementOf(broker, url).get('nodes')).rejects.toThrow(` at ${where} `);
});

test.each([
  ['me:hu%40sh@', 'me:hu@sh', '/', '/api/nodes?columns=name'],
  ['', 'ada:love', '/mq//', '/mq/api/nodes?columns=name'],
  ['', 'ada:love', '/#/queues', '/api/nodes?columns=name'],
])('the URL http://%s… is asked with the login %s', async (login, auth, path, asked) => {
  const requests: IncomingMessage[] = [];
  const port = await listen(
    createServer((request, response) => {
      requests.push(request);
      response.end('[]');
    }),
  );
  const management = managementOf('amqp://ada:love@mq1', `http://${login}127.0.0.1:${port}${path}`);
  expect(await management.get('nodes?columns=name')).toEqual([]);
  const [{ url, headers }] = requests as [IncomingMessage];
  expect(url).toBe(asked);
  expect(headers.authorization).toBe(`Basic ${Buffer.from(auth).toString('base64')}`);
});

test('over https the certificate is checked against the host, with the authorities of socketOptions', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'batonmq-management-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const certificate = makeCertificate(folder, 'localhost');
  const port = await listen(createTlsServer(certificate, (_, response) => response.end('[]')));
  const ask = (host: string, ca?: Buffer) =>
    managementOf('amqp://mq1', `https://${host}:${port}`, ca && { ca, host: 'mq1', path: '/elsewhere' }).get(
      'nodes',
    );
  expect(await ask('localhost', certificate.cert)).toEqual([]);
  await expect(ask('127.0.0.1', certificate.cert)).rejects.toThrow(/\(ERR_TLS_CERT_ALTNAME_INVALID\)/);
  await expect(ask('localhost')).rejects.toThrow(/\(DEPTH_ZERO_SELF_SIGNED_CERT\)/);
});
