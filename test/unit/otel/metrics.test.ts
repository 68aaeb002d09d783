import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { encodeToken } from '../../../src/protocol/token.ts';
import { ManualClock, TestBroker } from '../../../src/testing/index.ts';
import { measured } from './fixtures.ts';

const service = 'billing';
const own = { 'batonmq.service': service };
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('waits', () => {
  test('are counted when they begin and by how they end, with their time in seconds', async () => {
    const { read } = measured();
    const baton = new TestBroker().connect({ service });
    const lease = await baton.lock('a').acquire();
    expect(await baton.lock('a').tryAcquire()).toBeUndefined();
    await expect(baton.lock('a').acquire({ timeoutMs: 50 })).rejects.toThrow();
    await expect(baton.lock('a').acquire({ signal: AbortSignal.timeout(10) })).rejects.toThrow();
    const waiting = baton.lock('a').acquire();
    expect(await read('batonmq.acquire.attempts')).toEqual([{ attributes: own, value: 5 }]);
    expect(await read('batonmq.active_waits')).toEqual([{ attributes: own, value: 1 }]);
    await lease.release();
    await (await waiting).release();
    expect(await read('batonmq.active_waits')).toEqual([{ attributes: own, value: 0 }]);
    expect(await read('batonmq.grants')).toEqual([{ attributes: own, value: 2 }]);
    const durations = await read('batonmq.acquire.duration');
    expect(
      durations.map(({ attributes, value }) => [attributes, (value as { count: number }).count]),
    ).toEqual([
      [{ ...own, 'batonmq.outcome': 'granted' }, 2],
      [{ ...own, 'batonmq.outcome': 'held' }, 1],
      [{ ...own, 'batonmq.outcome': 'failed', 'error.type': 'acquire-timeout' }, 1],
      [{ ...own, 'batonmq.outcome': 'failed', 'error.type': 'TimeoutError' }, 1],
    ]);
    expect(durations[2]?.value).toMatchObject({ sum: expect.closeTo(0.05, 0) });
    expect((durations[2]?.value as { sum: number } | undefined)?.sum).toBeGreaterThan(0.045);
    await baton.close();
  });
});

describe('holds', () => {
  test('are counted while they last, timed, and losses are told by their reason', async () => {
    const { read } = measured();
    const broker = new TestBroker();
    const baton = broker.connect({ service });
    const [kept, lost] = [await baton.lock('kept').acquire(), await baton.lock('lost').acquire()];
    expect(await read('batonmq.active_holds')).toEqual([{ attributes: own, value: 2 }]);
    expect(await read('batonmq.losses')).toEqual([]);
    const loss = new Promise((resolve) => lost.signal.addEventListener('abort', resolve));
    broker.loseLease(lost);
    await loss;
    await kept.release();
    const why = { 'batonmq.lost.reason': 'channel-closed' };
    expect(await read('batonmq.active_holds')).toEqual([{ attributes: own, value: 0 }]);
    expect(await read('batonmq.losses')).toEqual([{ attributes: { ...own, ...why }, value: 1 }]);
    expect((await read('batonmq.hold.duration')).map(({ attributes }) => attributes)).toEqual([
      { ...own, 'batonmq.outcome': 'lost', ...why },
      { ...own, 'batonmq.outcome': 'released' },
    ]);
    await baton.close();
  });
});

test('saves are timed by how they end, also those of a release', async () => {
  const { read } = measured();
  const broker = new TestBroker();
  const baton = broker.connect({ service });
  const lease = await baton.lock('a', { state: z.number() }).acquire();
  await lease.save(1);
  await expect(lease.save('two' as unknown as number)).rejects.toThrow();
  broker.alarm(true);
  await expect(lease.save(3, { timeoutMs: 50 })).rejects.toThrow();
  broker.alarm(false);
  await lease.release({ state: 4 });
  const saves = await read('batonmq.save.duration');
  expect(saves).toMatchObject([
    { attributes: { ...own, 'batonmq.outcome': 'saved' }, value: { count: 2 } },
    { attributes: { ...own, 'batonmq.outcome': 'failed', 'error.type': 'state' }, value: { count: 1 } },
    {
      attributes: { ...own, 'batonmq.outcome': 'failed', 'error.type': 'broker-unreachable' },
      value: { count: 1 },
    },
  ]);
  expect((saves[2]?.value as { sum: number } | undefined)?.sum).toBeGreaterThan(0.045);
  await baton.close();
});

describe('the queue', () => {
  test('that loses its token is probed, started over and seeded again', async () => {
    const { read } = measured();
    const clock = new ManualClock();
    const broker = new TestBroker({ clock });
    const baton = broker.connect({ service, healAfterMs: 1_000 });
    const lease = await baton.lock('a').acquire();
    broker.destroyToken(lease);
    await lease.release();
    const healed = baton.lock('a').acquire();
    await clock.advance(60_000);
    await (await healed).release();
    expect(await read('batonmq.seeds')).toEqual([
      { attributes: { ...own, 'batonmq.seed.again': false }, value: 1 },
      { attributes: { ...own, 'batonmq.seed.again': true }, value: 1 },
    ]);
    expect(await read('batonmq.start_overs')).toEqual([
      { attributes: { ...own, 'batonmq.start_over.reason': 'no-live-token' }, value: 1 },
    ]);
    expect((await read('batonmq.probes'))[0]?.value).toBeGreaterThan(0);
    const closed = baton.close();
    await clock.advance(2_000);
    await closed;
  });
});

test('a long log that is ended is a starting over of its own kind', async () => {
  const { read } = measured();
  const broker = new TestBroker({ version: [4, 0, 5] });
  const baton = broker.connect({ service });
  const worn = { name: 'a' };
  await baton.lock('a').run(() => {});
  broker.purgeLock(worn);
  const base = BigInt(Date.now()) << 21n;
  const token = { id: randomUUID(), name: 'a', base, fencesPerReturn: 1, by: 'x', at: Date.now() };
  broker.publish(worn, encodeToken(token), { returns: 100_001 });
  await baton.lock('a').run(() => {});
  expect(await read('batonmq.start_overs')).toEqual([
    { attributes: { ...own, 'batonmq.start_over.reason': 'long-log' }, value: 1 },
  ]);
  await baton.close();
});

describe('the session', () => {
  test('is counted by state, its reconnects and the time for which it is blocked, also while it still is', async () => {
    const { read } = measured();
    const broker = new TestBroker();
    const baton = broker.connect({ service });
    const states = async () =>
      Object.fromEntries(
        (await read('batonmq.sessions')).map(({ attributes, value }) => [
          attributes['batonmq.session.state'],
          value,
        ]),
      );
    await settle();
    expect(await states()).toEqual({ open: 1, blocked: 0, reconnecting: 0 });
    broker.line(baton).disconnect();
    await settle();
    expect(await read('batonmq.session.reconnects')).toEqual([{ attributes: own, value: 1 }]);
    expect(await read('batonmq.session.blocked_time')).toEqual([{ attributes: own, value: 0 }]);
    broker.alarm(true);
    const stalled = baton.lock('new').acquire();
    await expect.poll(() => baton.state).toBe('blocked');
    expect(await states()).toEqual({ open: 0, blocked: 1, reconnecting: 0 });
    const blockedS = async () => Number((await read('batonmq.session.blocked_time'))[0]?.value);
    await expect.poll(blockedS).toBeGreaterThan(0.02);
    broker.alarm(false);
    await (await stalled).release();
    const total = await blockedS();
    expect(await states()).toEqual({ open: 1, blocked: 0, reconnecting: 0 });
    expect(await blockedS()).toBe(total);
    await baton.close();
    expect(await states()).toEqual({ open: 0, blocked: 0, reconnecting: 0 });
    expect(await blockedS()).toBe(total);
  });
});

test('a lock’s name is an attribute only as far as lockAttribute says', async () => {
  const { read } = measured({
    lockAttribute: (name) => (name.startsWith('invoice:') ? 'invoice' : undefined),
  });
  const baton = new TestBroker().connect({ service });
  for (const name of ['invoice:1', 'invoice:2', 'other']) await baton.lock(name).run(() => {});
  expect(await read('batonmq.grants')).toEqual([
    { attributes: { ...own, 'batonmq.lock.name': 'invoice' }, value: 2 },
    { attributes: own, value: 1 },
  ]);
  await baton.close();
});

test('after it was stopped nothing is recorded any more, and what began earlier ends quietly', async () => {
  const first = measured();
  const baton = new TestBroker().connect({ service });
  const lease = await baton.lock('a').acquire();
  first.stop();
  const second = measured();
  await lease.release();
  await baton.lock('a').run(() => {});
  expect(await first.read('batonmq.grants')).toEqual([{ attributes: own, value: 1 }]);
  expect(await first.read('batonmq.sessions')).toEqual([]);
  expect(await second.read('batonmq.active_holds')).toEqual([{ attributes: own, value: 0 }]);
  expect((await second.read('batonmq.hold.duration'))[0]?.value).toMatchObject({ count: 1 });
  await baton.close();
});
