import { afterAll, beforeAll, describe, expect, type TestContext, test, vi } from 'vitest';
import { parseVersion } from '../../src/broker/dialer.ts';
import { type BrokerUrls, type ConnectOptions, connect, type SessionStateChange } from '../../src/index.ts';
import { isBelow43 } from '../../src/protocol/versions.ts';
import type { ProvidedBroker } from '../support/broker/index.ts';
import { type Issuer, provideOAuthBroker, withToken } from '../support/oauth.ts';

const LIFE_MS = 10_000;
/** Of locks, service and publisher. */
const CONNECTIONS = 3;

let provided: { broker: ProvidedBroker; issuer: Issuer } | undefined;

beforeAll(async () => {
  provided = await provideOAuthBroker();
});
afterAll(() => provided?.broker.stop());

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const until = (condition: () => void) => vi.waitFor(condition, { timeout: 20_000, interval: 10 });
const name = (what: string) => `oauth:${what}:${process.pid}`;

async function open({ onTestFinished }: TestContext, urls: BrokerUrls, options: ConnectOptions = {}) {
  const renewed = vi.fn();
  const info = (_: object, message: string) => void (message.includes('renewed') && renewed());
  const quiet = () => {};
  const baton = await connect(urls, {
    ...options,
    logger: { debug: quiet, info, warn: quiet, error: quiet },
  });
  onTestFinished(() => baton.close({ drainMs: 0 }));
  const changes: SessionStateChange[] = [];
  baton.on('state', (change) => changes.push(change));
  return { baton, changes, renewed };
}

interface Login {
  /** Whether the broker ends a connection whose token has expired. */
  readonly ends: boolean;
  /** Of the broker, without a token that it would take. */
  readonly broker: string;
  /** With a new token. */
  readonly url: (lifeMs?: number, claims?: Readonly<Record<string, unknown>>) => string;
}

/** As `amqplib.credentials.plain` makes them. */
function credentials(url: string) {
  const { password } = new URL(url);
  const response = () => Buffer.from(`\0\0${password}`);
  return { credentials: { mechanism: 'PLAIN', username: '', password, response } };
}

/** Nothing is to be had of a broker that is not ours. */
function oauth({ skip }: TestContext): Login {
  if (provided === undefined) return skip();
  const { broker, issuer } = provided;
  const version = parseVersion(broker.version) ?? [0, 0, 0];
  return {
    ends: !isBelow43(version),
    broker: withToken(broker.url, 'of-no-use'),
    url: (lifeMs = LIFE_MS, claims = {}) => withToken(broker.url, issuer.token(lifeMs, claims)),
  };
}

// Most of their time is spent waiting for a token's end.
describe.concurrent('a token for a password', () => {
  const ways: readonly [what: string, options: (login: Login) => [BrokerUrls, ConnectOptions]][] = [
    ['the URL', ({ url }) => [() => url(), {}]],
    ['an object with the URL', ({ url }) => [() => ({ urls: [url()] }), {}]],
    ['socketOptions', ({ url, broker }) => [broker, { socketOptions: () => credentials(url()) }]],
  ];
  test.for(ways)(
    'in %s that a function returns is renewed on every connection before it expires: a hold outlives four of them, with its fence',
    { timeout: 120_000 },
    async ([what, options], context) => {
      const { baton, changes, renewed } = await open(context, ...options(oauth(context)));
      const lease = await baton.lock(name(what)).acquire({ timeoutMs: 10_000 });
      const { fence } = lease;
      await pause(4 * LIFE_MS);
      await lease.verify();
      expect(lease.fence).toBe(fence);
      // A lock that is new takes a declaration, a publish and a consume, each with rights that the broker looks up now.
      await using _ = await baton.lock(name(`new, ${what}`)).acquire({ timeoutMs: 10_000 });
      await lease.release();
      expect(changes).toEqual([]);
      expect(renewed.mock.calls.length).toBeGreaterThanOrEqual(4 * CONNECTIONS);
    },
  );

  test('in a URL that stays the same ends the hold with it, and the error says so', async (context) => {
    const { url, ends } = oauth(context);
    const { baton } = await open(context, url(6_000));
    const lease = await baton.lock(name('fixed')).acquire({ timeoutMs: 5_000 });
    if (!ends) {
      // The connection goes on, and what is new is refused.
      await pause(7_000);
      const refused = baton.lock(name('refused')).acquire({ timeoutMs: 10_000 });
      await expect(refused).rejects.toMatchObject({ code: 'access-refused' });
      return;
    }
    await until(() => expect(lease.signal.aborted).toBe(true));
    expect(lease.signal.reason).toMatchObject({ code: 'lease-lost', reason: 'connection-closed' });
    expect(String(lease.signal.reason.cause)).toMatch(/its credentials expired; have urls be a function/);
  });

  test('whose successor is refused, late or not given leaves the hold alone, is told once, and is asked for again', async (context) => {
    const { url } = oauth(context);
    let bad: (() => string | Promise<string>) | undefined;
    const { baton, changes, renewed } = await open(context, () => (bad ?? url)());
    const lease = await baton.lock(name('refused-successor')).acquire({ timeoutMs: 5_000 });
    const unlike: (() => string | Promise<string>)[] = [
      () => url(60_000).replace(/\.[^.]*(?=@)/, '.another-signature'),
      () => url(60_000, { aud: ['another'] }),
      () => url(60_000, { sub: 'somebody-else' }),
      () => Promise.reject(new Error('the vault is sealed')),
      () => new Promise<string>(() => {}),
      () => 'no URL at all',
    ];
    for (const [index, answer] of unlike.entries()) {
      changes.length = 0;
      bad = answer;
      await until(() => expect(changes.length, `told of ${index}`).toBe(CONNECTIONS));
      bad = undefined;
      renewed.mockClear();
      await until(() => expect(renewed, `after ${index}`).toHaveBeenCalledTimes(CONNECTIONS));
      for (const { from, to, error } of changes) {
        expect(`${index} ${from} ${to} ${error?.message}`).toMatch(/^\d open open .*could not be renewed/);
      }
      await lease.verify();
    }
    await pause(LIFE_MS);
    await lease.verify();
    expect(baton.state).toBe('open');
  }, 180_000);
});
