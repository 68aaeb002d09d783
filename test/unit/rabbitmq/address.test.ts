import { describe, expect, test } from 'vitest';
import { BrokerUnreachableError, InvalidOptionsError } from '../../../src/errors.ts';
import { Destination } from '../../../src/rabbitmq/address.ts';
import { dialFault, mayPass } from '../../../src/rabbitmq/error-translation.ts';
import { restMs } from '../../../src/rabbitmq/renewal.ts';
import type { BrokerUrls } from '../../../src/urls.ts';

const never = new AbortController().signal;
const ask = (urls: unknown, socketOptions: object | (() => object | Promise<object>) = {}) =>
  new Destination(urls as BrokerUrls, socketOptions).ask(never, 200);
const jwt = (claims: object | string) =>
  `e30.${Buffer.from(typeof claims === 'string' ? claims : JSON.stringify(claims)).toString('base64url')}.c2ln`;

describe('when a password ends', () => {
  test.each<[what: string, password: string, expiresAt: number | undefined]>([
    ['a JSON Web Token', jwt({ exp: 1_900_000_000, sub: 'me' }), 1_900_000_000_000],
    ['a token without an end', jwt({ sub: 'me' }), undefined],
    ['a token whose end is no number', jwt({ exp: 'soon', sub: 5 }), undefined],
    ['a token that is no JSON', jwt('{"exp":19'), undefined],
    ['a token that is no object', jwt('[1]'), undefined],
    ['a password with two dots', 'one.two.three', undefined],
    ['a password', 'guest', undefined],
  ])('is read from %s, if it says so', async (_, password, expiresAt) => {
    const { addresses } = await ask(() => `amqp://me:${password}@mq`);
    expect(addresses[0]).toMatchObject({ password, expiresAt });
    const credentials = { username: 'me', password, mechanism: 'PLAIN' };
    const other = await ask('amqp://mq', () => ({ credentials }));
    expect(other.addresses[0]).toMatchObject({ user: 'me', password, expiresAt });
  });

  test('is what the function says, which wins over the token', async () => {
    const at = new Date('2030-01-01T00:00:00Z');
    for (const credentialsExpireAt of [at, at.getTime()]) {
      const urls = [`amqp://me:${jwt({ exp: 1_900_000_000 })}@mq`, 'amqp://me:opaque@mq2'];
      const { addresses } = await ask(async () => ({ urls, credentialsExpireAt }));
      expect(addresses.map(({ expiresAt }) => expiresAt)).toEqual([at.getTime(), at.getTime()]);
    }
  });
});

describe('an answer that is of no use is an invalid option, which quotes no URL', () => {
  const secret = 'amqp://me:hush@mq';
  test.each<[what: string, answer: unknown, sentence: RegExp]>([
    ['nothing', undefined, /URL must be a string/],
    [
      'seconds',
      { urls: secret, credentialsExpireAt: 1_900_000_000 },
      /credentialsExpireAt must be .*not seconds.*1900000000/,
    ],
    [
      'a date that is none',
      { urls: secret, credentialsExpireAt: new Date('?') },
      /credentialsExpireAt must be/,
    ],
    ['a misspelt field', { urls: secret, credentialsExpiresAt: 5 }, /unknown option credentialsExpiresAt/],
    ['an object without urls', { credentialsExpireAt: Date.now() }, /urls must be a URL or several/],
    ['an empty list', [], /at least one URL/],
  ])('%s', async (_, answer, sentence) => {
    const error = await ask(() => answer).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect(String(error)).toMatch(sentence);
    expect(String(error)).not.toContain('hush');
  });

  test.each<[unknown]>([[undefined], ['ca'], [[]]])('socketOptions %j', async (answer) => {
    await expect(ask('amqp://mq', () => answer as object)).rejects.toThrow(
      /for socketOptions must return an object/,
    );
  });
});

test('a function for socketOptions that fails or hangs is named, and given up in time', async () => {
  const cause = new Error('no such file');
  const failed = await ask('amqp://mq', () => Promise.reject(cause)).catch((e: unknown) => e);
  expect(failed).toBeInstanceOf(BrokerUnreachableError);
  expect(failed).toMatchObject({ cause, message: expect.stringMatching(/returns socketOptions failed/) });
  await expect(ask('amqp://mq', () => new Promise<object>(() => {}))).rejects.toThrow(
    /returns socketOptions did not answer in time/,
  );
});

test('credentials are renewed when two thirds of what is left have passed, and never in a tight loop', () => {
  const [soonest, latest] = [() => 0, () => 1];
  expect(restMs(3_600_000, latest)).toBe(2_400_000);
  expect(restMs(3_600_000, soonest)).toBe(2_160_000);
  expect(restMs(60, latest)).toBe(1_000);
  // The broker took them, so it is our clock that is ahead.
  expect(restMs(-86_400_000)).toBe(5_000);
  expect(restMs(Number.MAX_SAFE_INTEGER)).toBe(2 ** 31 - 1);
});

describe('whether a failed dial is worth another try', () => {
  const address = {
    tls: false,
    host: 'mq',
    port: 5672,
    user: 'me',
    password: 'hush',
    expiresAt: undefined,
    vhost: '/',
    heartbeatMs: undefined,
    tuning: {},
  };
  const failure = (message: string, code?: string) => Object.assign(new Error(message), { code });
  test.each<[worth: boolean, message: string, code?: string]>([
    [true, 'connect ECONNREFUSED', 'ECONNREFUSED'],
    [true, 'read ECONNRESET', 'ECONNRESET'],
    [true, 'getaddrinfo ENOTFOUND mq', 'ENOTFOUND'],
    [true, 'getaddrinfo EAI_AGAIN mq', 'EAI_AGAIN'],
    [true, 'connect EHOSTUNREACH', 'EHOSTUNREACH'],
    [true, 'Socket closed abruptly during opening handshake'],
    [true, 'Handshake terminated by server: 541 (INTERNAL-ERROR) with message "starting"'],
    [true, 'Client network socket disconnected before secure TLS connection was established', 'ECONNRESET'],
    [false, 'Handshake terminated by server: 403 (ACCESS-REFUSED) with message "no"'],
    [false, 'Expected ConnectionOpenOk; got <ConnectionClose channel:0>'],
    [false, 'Expected ConnectionStart; got <BasicGet channel:0>'],
    [false, 'Invalid frame'],
    [false, 'self-signed certificate', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    [false, 'certificate has expired', 'CERT_HAS_EXPIRED'],
    [false, 'wrong version number', 'EPROTO'],
    [false, 'the servername is not in the certificate', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [false, 'The "ca" argument is wrong', 'ERR_INVALID_ARG_TYPE'],
  ])('%j: %s', (worth, message, code) => {
    const fault = dialFault(failure(message, code), address);
    expect(mayPass(fault)).toBe(worth);
    // Of several hosts.
    expect(mayPass(new BrokerUnreachableError('None of 2', { cause: fault }))).toBe(
      worth && fault instanceof BrokerUnreachableError,
    );
  });
});
