import { expect, test } from 'vitest';
import { parseAddresses } from '../../../src/broker/address.ts';
import { dialFault } from '../../../src/broker/faults.ts';

const faultOf = (url: string, message: string, code: string) => {
  const [address] = parseAddresses(url);
  if (address === undefined) throw new Error('no address');
  return dialFault(Object.assign(new Error(message), { code }), address).message;
};

test.each([
  ['localhost:5672', /^connect: URL must begin with amqp:\/\/ or amqps:\/\/; got neither$/],
  ['mq1/vhost', /^connect: URL must begin with amqp:\/\/ or amqps:\/\/; got neither$/],
  ['http://mq1', /^connect: URL must begin with amqp:\/\/ or amqps:\/\/; got neither$/],
  ['amqp://mq1?frameMax=4095', /^connect: URL: frameMax must be a whole number from 4096 to \d+; got 4095$/],
])('%s is refused for what is wrong with it', (url, sentence) => {
  expect(() => parseAddresses(url)).toThrow(sentence);
});

test('a broker that resets the connection over a small frameMax is told from one that speaks no AMQP', () => {
  expect(faultOf('amqp://mq1?frameMax=4096', 'read ECONNRESET', 'ECONNRESET')).toMatch(
    /frameMax 4096 of the URL may be too small for it; RabbitMQ 4 wants at least 8192: read ECONNRESET$/,
  );
  for (const url of ['amqp://mq1', 'amqp://mq1?frameMax=8192'])
    expect(faultOf(url, 'read ECONNRESET', 'ECONNRESET')).toMatch(/check that it is an AMQP 0-9-1 port/);
});

test('of what OpenSSL says the reason is told, and no address or source file', () => {
  const said =
    'write EPROTO 00B7F0F2FC7F0000:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../deps/openssl/openssl/ssl/record/ssl3_record.c:354:\n';
  expect(faultOf('amqps://mq1', said, 'EPROTO')).toMatch(
    /^TLS with mq1:5671 failed; check .*: wrong version number$/,
  );
});
