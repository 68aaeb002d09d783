import { beforeEach, describe, expect, test } from 'vitest';
import type { ConnectOptions, Coordinator, Lease } from '../../../src/index.ts';
import { ManualClock, TestBroker } from '../../../src/testing/index.ts';
import { coordinators, watch } from '../in-memory.ts';

const JOBS = { name: 'jobs' };
const LEASE_MS = 15_000;
const DELAY_MS = LEASE_MS + 250;
let clock: ManualClock;
let broker: TestBroker;
const open = coordinators(() => clock);

beforeEach(() => {
  clock = new ManualClock();
  broker = new TestBroker({ clock });
});

function connect(options?: ConnectOptions): Coordinator {
  return open(broker, { grant: 'verified', ...options });
}

/** A verified holder whose channel the broker has closed, and somebody who waits. */
async function lost(options?: ConnectOptions) {
  const [a, b] = [connect(options), connect(options)];
  const lease = await a.lock('jobs').acquire();
  const next = watch(b.lock('jobs').acquire());
  await clock.advance(7_000);
  broker.loseLease(JOBS);
  await clock.advance(0);
  expect(lease.signal.aborted).toBe(true);
  return { a, b, lease, next };
}

describe('a lock with verified grants that was not released', () => {
  test('is granted to the next one a lease later, to the millisecond', async () => {
    const { lease, next } = await lost();
    await clock.advance(DELAY_MS - 1);
    expect(next).toEqual({});
    await clock.advance(1);
    expect(next.value?.fence).toBeGreaterThan(lease.fence);
    expect(next.value?.remainingMs).toBe(LEASE_MS);
  });

  test.each([-86_400_000, 86_400_000])(
    'is granted then whatever the wall clock shows, also if that is set by %d ms',
    async (ms) => {
      const { next } = await lost();
      clock.stepWall(ms);
      await clock.advance(DELAY_MS - 1);
      expect(next).toEqual({});
      await clock.advance(1);
      expect(next.value).toBeDefined();
    },
  );

  test.each([
    ['immediate', [4, 3, 0]],
    ['auto', [4, 3, 0]],
    ['verified', [4, 2, 9]],
  ] as const)('is granted at once with %s grants on %j', async (grant, version) => {
    broker = new TestBroker({ clock, version });
    const { next } = await lost({ grant });
    expect(next.value).toBeDefined();
  });

  test('goes from one who dies during the delay to the next, who begins it again', async () => {
    const { b, next } = await lost();
    const third = watch(connect().lock('jobs').acquire());
    await clock.advance(10_000);
    broker.line(b).disconnect();
    await clock.advance(DELAY_MS - 1);
    expect([next, third]).toEqual([{}, {}]);
    await clock.advance(1);
    expect(third.value).toBeDefined();
    await third.value?.release();
    await clock.advance(1);
    expect(next.value).toBeDefined();
  });

  test('is a try’s at once when an earlier one has seen the delay to its end', async () => {
    const { next } = await lost();
    expect(next).toEqual({});
    const baton = connect();
    broker.loseLease(JOBS); // the waiter’s channel: it is behind now
    await clock.advance(DELAY_MS + 100);
    await next.value?.release();
    await clock.advance(1);
    const lease = await baton.lock('jobs').tryAcquire();
    expect(lease).toBeDefined();
    broker.loseLease(JOBS);
    await clock.advance(0);
    expect(await baton.lock('jobs').tryAcquire()).toBeUndefined();
    expect(broker.readyMessages(JOBS)).toBe(0); // it stays, for others
    await clock.advance(DELAY_MS);
    expect(broker.readyMessages(JOBS)).toBe(1);
    expect(await baton.lock('jobs').tryAcquire()).toBeDefined();
  });

  test('comes to callers who wait for less than a lease', async () => {
    const { a, next } = await lost();
    expect(next).toEqual({});
    const tries: { value?: Lease; error?: unknown }[] = [];
    while (next.value === undefined) await clock.advance(1_000);
    const held = next.value;
    broker.loseLease(JOBS);
    await clock.advance(0);
    expect(held.signal.aborted).toBe(true);
    for (let i = 0; i < 20 && tries.at(-1)?.value === undefined; i += 1) {
      tries.push(watch(a.lock('jobs').acquire({ timeoutMs: 1_000 })));
      await clock.advance(1_001);
    }
    expect(tries.at(-1)?.value).toBeDefined();
    expect(tries.length).toBe(16);
    expect(tries[0]?.error).toMatchObject({ code: 'acquire-timeout' });
    expect(String(tries[0]?.error)).toContain('somebody else holds it');
  });

  test('is left to others when the coordinator closes, without a wait', async () => {
    const { b, next } = await lost();
    const closing = watch(b.close());
    await clock.advance(10);
    expect(closing).toHaveProperty('value');
    expect(next.error).toMatchObject({ code: 'closed' });
    expect(broker.readyMessages(JOBS)).toBe(1);
  });
});

describe('a lock with verified grants that was released', () => {
  test('is granted at once, also while a question is under way, and while the line is slow', async () => {
    const [a, b] = [connect(), connect()];
    for (const delayMs of [0, 100]) {
      broker.line(a).delay(delayMs);
      const acquiring = watch(a.lock('jobs').acquire());
      await clock.advance(10 * delayMs);
      const lease = acquiring.value;
      const next = watch(b.lock('jobs').acquire());
      const answer = watch(lease?.verify() ?? Promise.reject(new Error('not granted')));
      const released = watch(lease?.release() ?? Promise.resolve());
      expect(lease?.remainingMs).toBe(0);
      await clock.advance(4 * delayMs);
      expect(answer.error).toMatchObject({ code: 'closed' });
      expect(released).toHaveProperty('value');
      expect(next.value).toBeDefined();
      await next.value?.release();
      await clock.advance(1);
    }
  });

  test('is not kept by a line that does not answer: it is closed after 250 ms, with its mark', async () => {
    const [a, b] = [connect(), connect()];
    const lease = await a.lock('jobs').acquire();
    const next = watch(b.lock('jobs').acquire());
    await clock.advance(10);
    broker.line(a).freeze();
    watch(lease.verify());
    watch(lease.release());
    await clock.advance(249);
    broker.line(a).thaw();
    await clock.advance(0);
    expect(next.value).toBeDefined(); // the answer came in time
    await next.value?.release();

    const again = await a.lock('jobs').acquire();
    const last = watch(b.lock('jobs').acquire());
    broker.line(a).freeze();
    watch(again.verify());
    watch(again.release());
    await clock.advance(251);
    broker.line(a).thaw();
    await clock.advance(0);
    expect(last).toEqual({});
    await clock.advance(DELAY_MS);
    expect(last.value).toBeDefined();
  });
});
