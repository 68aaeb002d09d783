import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { parseAddresses } from '../../../src/broker/address.ts';
import { Destination } from '../../../src/broker/destination.ts';
import { Management } from '../../../src/cli/management/client.ts';
import { UsageError } from '../../../src/cli/usage-error.ts';

function managementOf(brokerUrl: string, text?: string): Management {
  const [broker] = parseAddresses(brokerUrl);
  if (broker === undefined) throw new Error('no address');
  const given = text === undefined ? undefined : { text, what: '--management-url' };
  return new Management(new Destination(brokerUrl, {}), broker, given);
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
  const server = createServer((request, response) => {
    requests.push(request);
    response.end('[]');
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const management = managementOf('amqp://ada:love@mq1', `http://${login}127.0.0.1:${port}${path}`);
  expect(await management.get('nodes?columns=name')).toEqual([]);
  const [{ url, headers }] = requests as [IncomingMessage];
  expect(url).toBe(asked);
  expect(headers.authorization).toBe(`Basic ${Buffer.from(auth).toString('base64')}`);
});
