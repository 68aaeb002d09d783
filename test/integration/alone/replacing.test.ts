import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { connect as connectAmqp } from 'amqplib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type ConnectOptions, type Coordinator, connect, type Lease } from '../../../src/index.ts';
import { longLog } from '../../../src/protocol/contender/holding.ts';
import { lockQueueName } from '../../../src/protocol/queues.ts';
import { queueUp } from '../../contract/cases/tools.ts';
import { sharedBroker } from '../../support/broker/index.ts';
import { openProxy } from '../../support/proxy.ts';

const { url, version, control } = sharedBroker();
const [major = 0, minor = 0] = version.split('.').map(Number);
/** From 4.3 on the broker truncates the log, and no release replaces a token. */
const replaces = major < 4 || (major === 4 && minor < 3);
const RETURNS = 5;
/** A release that goes wrong waits a second for an answer. A lock without a token heals after 30 s. */
const SOON_MS = 8_000;

const nameOf = (what: string) => `replacing:${what}:${randomUUID()}`;

async function open(options?: ConnectOptions, at = url): Promise<Coordinator> {
  const baton = await connect(at, options);
  onTestFinished(() => baton.close({ drainMs: 0 }));
  return baton;
}

/** A lease whose token has come back so often that its release replaces it. */
async function worn(baton: Coordinator, name: string): Promise<Lease> {
  const lease = await baton.lock(name).acquire({ timeoutMs: SOON_MS });
  for (let i = 0; i <= RETURNS; i += 1) await lease.verify();
  return lease;
}

/** Releases, with somebody in line who has to be granted soon. */
async function releaseToNext(lease: Lease, name: string, before?: () => Promise<void>): Promise<void> {
  const { lease: next } = await queueUp((await open()).lock(name));
  await before?.();
  const from = performance.now();
  await lease.release();
  const granted = await next;
  expect(performance.now() - from).toBeLessThan(SOON_MS);
  expect(granted.fence).toBeGreaterThan(lease.fence);
  await granted.release();
}

async function ready(name: string): Promise<number> {
  const connection = await connectAmqp(url);
  const channel = await connection.createChannel();
  const { messageCount } = await channel.checkQueue(lockQueueName('default', name));
  await connection.close();
  return messageCount;
}

describe.runIf(replaces && control !== undefined)('a release that replaces the token', () => {
  const { returns } = longLog;
  beforeAll(() => {
    longLog.returns = RETURNS;
  });
  afterAll(() => {
    longLog.returns = returns;
  });

  /** When the close comes: with the release, with the answer to the purge, or a little after that. */
  const MOMENTS = [0, 1, 2, 3, 4].map((moment) => (close: () => Promise<void>): Promise<void> => {
    if (moment === 0) return close();
    return new Promise((resolve) => {
      const onPurged = () => {
        unsubscribe('batonmq:start-over', onPurged);
        if (moment === 1) resolve(close());
        else setTimeout(() => resolve(close()), moment - 2);
      };
      subscribe('batonmq:start-over', onPurged);
    });
  });

  test.each([
    ['at once', 0],
    ['with time to drain', 10_000],
  ])(
    'is seen to its end by a close %s: there is a token after each of 30',
    {
      timeout: 120_000,
    },
    async (_, drainMs) => {
      const name = nameOf('close');
      let last = 0n;
      for (let i = 0; i < 30; i += 1) {
        const baton = await open();
        const lease = await worn(baton, name);
        expect(lease.fence).toBeGreaterThan(last);
        last = lease.fence;
        const closed = MOMENTS[i % MOMENTS.length]?.(() => baton.close({ drainMs }));
        await Promise.allSettled([lease.release(), closed]);
        await expect.poll(() => ready(name), { timeout: 2_000, message: `after ${i} closes` }).toBe(1);
      }
    },
  );

  test('is an ordinary one for a user who may not publish', async () => {
    const name = nameOf('reader');
    await (await (await open()).lock(name).acquire()).release();
    const user = `user-${randomUUID()}`;
    await control?.addUser(user, 'secret', { configure: '^$', write: '^$', read: '^baton\\.' });
    onTestFinished(async () => void (await control?.ctl('delete_user', user)));
    const as = new URL(url);
    [as.username, as.password] = [user, 'secret'];
    const lease = await worn(await open({}, as.href), name);
    await releaseToNext(lease, name);
  });

  test('is an ordinary one during an alarm', async () => {
    const name = nameOf('alarm');
    const lease = await worn(await open(), name);
    onTestFinished(() => control?.clearMemoryAlarm());
    await releaseToNext(lease, name, async () => control?.raiseMemoryAlarm());
  });

  test('is an ordinary one when the purge is never answered', async () => {
    const name = nameOf('purge');
    const proxy = await openProxy(url, {
      watch: (link, _, frame) => {
        if (frame.method === 'queue.purge') link.freeze();
      },
    });
    onTestFinished(() => proxy.close());
    const lease = await worn(await open({}, proxy.url), name);
    await releaseToNext(lease, name);
    expect(proxy.sent('queue.purge')).toBe(1);
  });
});

test('who heals a lock gives back what it has when its purge is never answered, and another one heals it', async () => {
  const name = nameOf('healing');
  const healthy = await open({ healAfterMs: 1_000 });
  const lease = await healthy.lock(name).acquire();
  await lease.release();
  await expect.poll(() => ready(name)).toBe(1);
  const connection = await connectAmqp(url);
  onTestFinished(() => connection.close());
  const channel = await connection.createChannel();
  await channel.purgeQueue(lockQueueName('default', name));
  channel.sendToQueue(lockQueueName('default', name), Buffer.from('not a token'), { persistent: true });
  await expect.poll(() => ready(name)).toBe(1);
  let frozen = false;
  const proxy = await openProxy(url, {
    watch: (link, _, frame) => {
      if (frame.method !== 'queue.purge' || frozen) return;
      frozen = true;
      link.freeze();
    },
  });
  onTestFinished(() => proxy.close());
  const stuck = (await open({ healAfterMs: 1_000 }, proxy.url)).lock(name).acquire({ timeoutMs: 40_000 });
  await expect.poll(() => frozen, { timeout: 20_000 }).toBe(true);
  const next = await healthy.lock(name).acquire({ timeoutMs: 20_000 });
  expect(next.fence).toBeGreaterThan(lease.fence);
  await next.release();
  const last = await stuck;
  expect(last.fence).toBeGreaterThan(next.fence);
  await last.release();
});
