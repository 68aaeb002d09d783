import { beforeEach, describe, expect, test } from 'vitest';
import type { ConnectOptions, Coordinator, Lease } from '../../../src/index.ts';
import { ManualClock, TestBroker } from '../../../src/testing/index.ts';
import { coordinators, watch } from '../in-memory.ts';

const JOBS = { name: 'jobs' };
let clock: ManualClock;
let broker: TestBroker;
const open = coordinators(() => clock);

beforeEach(() => {
  clock = new ManualClock();
  broker = new TestBroker({ clock });
});

const connect = (options?: ConnectOptions, to = broker) => open(to, options);

/** A holder, and somebody of another coordinator who waits behind it. */
async function holderAndWaiter(options?: ConnectOptions) {
  const [a, b] = [connect(options), connect(options)];
  const lease = await a.lock('jobs').acquire();
  await clock.advance(10);
  const next = watch(b.lock('jobs').acquire());
  await clock.advance(10);
  expect(next).toEqual({});
  return { a, b, lease, next };
}

const reasonOf = (lease: Lease) => (lease.signal.aborted ? lease.signal.reason.reason : undefined);

describe('a lease by a ManualClock', () => {
  test('is kept for hours by its verifications', async () => {
    const lease = await connect().lock('jobs').acquire();
    await clock.advance(3_600_000);
    lease.throwIfLost();
    expect(lease.remainingMs).toBeGreaterThan(9_999);
    expect(lease.signal.aborted).toBe(false);
  });

  test('is lost with clock-jump when the wall clock is set past its end, and not when it is set back', async () => {
    const lease = await connect().lock('jobs').acquire();
    clock.stepWall(-3_600_000);
    lease.throwIfLost();
    clock.stepWall(3_600_000 + 15_000);
    expect(lease.remainingMs).toBe(0);
    expect(() => lease.throwIfLost()).toThrow(/wall clock/);
    expect(reasonOf(lease)).toBe('clock-jump');
  });

  test('that a stall outlasts is over at once: throwIfLost needs no timer to know', async () => {
    const lease = await connect().lock('jobs').acquire();
    clock.stall(15_000);
    expect(lease.signal.aborted).toBe(false);
    expect(lease.remainingMs).toBe(0);
    expect(() => lease.throwIfLost()).toThrow(expect.objectContaining({ reason: 'verification-timeout' }));
    expect(lease.signal.aborted).toBe(true);
  });

  test.each([0, 5_000])(
    'after a stall of %d ms: a delivery is granted at once only to a process that ran lately',
    async (stallMs) => {
      const { b, lease, next } = await holderAndWaiter({ grant: 'immediate' });
      broker.line(b).delay(100);
      await clock.advance(1_000);
      clock.stall(stallMs);
      await lease.release();
      await clock.advance(100); // the delivery
      expect(next.value !== undefined).toBe(stallMs === 0);
      await clock.advance(200); // the proof
      expect(next.value?.remainingMs).toBe(14_800);
    },
  );
});

describe('the limits of a wait', () => {
  test('tryAcquire of a held lock says undefined within a tenth of a second, and of a free one gives a lease', async () => {
    const { b, lease } = await holderAndWaiter();
    const held = watch(b.lock('jobs').tryAcquire());
    await clock.advance(100);
    expect(held).toEqual({ value: undefined });
    const free = watch(b.lock('other').tryAcquire());
    await clock.advance(100);
    expect(free.value?.name).toBe('other');
    lease.throwIfLost();
  });

  test('tryAcquire on a dead line rejects after 1 s: whether the lock is held is unknown', async () => {
    const baton = connect();
    broker.line(baton).freeze();
    const outcome = watch(baton.lock('jobs').tryAcquire());
    await clock.advance(999);
    expect(outcome).toEqual({});
    await clock.advance(1);
    expect(outcome.error).toMatchObject({ code: 'broker-unreachable', retryable: true });
  });

  test('tryAcquire on a line that dies after it has shown a holder says undefined', async () => {
    const { a, b } = await holderAndWaiter();
    const outcome = watch(b.lock('jobs').tryAcquire());
    await clock.advance(10);
    for (const baton of [a, b]) broker.line(baton).freeze();
    await clock.advance(990);
    expect(outcome).toEqual({ value: undefined });
  });

  test('tryAcquire with a timeout says undefined then, and acquire rejects', async () => {
    const { a } = await holderAndWaiter();
    const attempt = watch(a.lock('jobs').tryAcquire({ timeoutMs: 500 }));
    const wait = watch(a.lock('jobs').acquire({ timeoutMs: 500 }));
    await clock.advance(499);
    expect([attempt, wait]).toEqual([{}, {}]);
    await clock.advance(1);
    expect(attempt).toEqual({ value: undefined });
    expect(wait.error).toMatchObject({ code: 'acquire-timeout' });
  });

  test('release on a dead line rejects after 5 s', async () => {
    const { a, lease } = await holderAndWaiter();
    broker.line(a).freeze();
    const released = watch(lease.release());
    await clock.advance(4_999);
    expect(released).toEqual({});
    await clock.advance(1);
    expect(released.error).toMatchObject({ code: 'broker-unreachable' });
  });
});

describe('TestBroker', () => {
  test('connect validates options as the real one does', () => {
    expect(() => broker.connect({ leaseMs: 1 })).toThrow(/leaseMs must be a whole number/);
  });

  test.each([
    { version: [4, 3, 0] as const, afterMs: 600 },
    { version: [4, 0, 5] as const, afterMs: 800 },
  ])(
    'version $version: a new lock over a line of 100 ms is granted after $afterMs ms',
    async ({ version, afterMs }) => {
      const old = new TestBroker({ clock, version });
      const baton = connect({}, old);
      old.line(baton).delay(100);
      const outcome = watch(baton.lock('jobs').acquire());
      await clock.advance(afterMs - 1);
      expect(outcome).toEqual({});
      await clock.advance(1);
      expect(outcome.value).toBeDefined();
    },
  );

  test('loseLease ends a hold with channel-closed, and the next waiter is granted with a higher fence', async () => {
    const { lease, next } = await holderAndWaiter();
    broker.loseLease(lease);
    await clock.advance(0);
    expect(reasonOf(lease)).toBe('channel-closed');
    expect(next.value?.fence).toBeGreaterThan(lease.fence);
  });

  test('takeBack grants the next waiter and tells the holder nothing; when the token comes back it is superseded', async () => {
    const { lease, next } = await holderAndWaiter();
    broker.takeBack(lease);
    await clock.advance(0);
    expect(next.value?.fence).toBeGreaterThan(lease.fence);
    expect(lease.signal.aborted).toBe(false);
    await next.value?.release();
    expect(reasonOf(lease)).toBe('superseded');
  });

  test('destroyToken destroys it at its next return, and the lock heals', async () => {
    const { lease, next } = await holderAndWaiter({ healAfterMs: 1_000 });
    broker.destroyToken(lease);
    await clock.advance(10);
    await lease.release();
    expect(broker.readyMessages(JOBS)).toBe(0);
    await clock.advance(10_000);
    expect(next.value?.fence).toBeGreaterThan(lease.fence);
  });

  test('deleteLock ends a hold with queue-deleted, and the waiter recreates the lock after 50 ms', async () => {
    const { lease, next } = await holderAndWaiter();
    broker.deleteLock(JOBS);
    await clock.advance(49);
    expect(reasonOf(lease)).toBe('queue-deleted');
    expect(next).toEqual({});
    await clock.advance(1);
    expect(next.value?.fence).toBeGreaterThan(lease.fence);
  });

  test('purgeLock destroys the token of a free lock and leaves a held one alone; readyMessages counts', async () => {
    const lease = await connect().lock('jobs').acquire();
    expect(broker.readyMessages(JOBS)).toBe(0);
    broker.purgeLock(JOBS);
    await lease.verify();
    await lease.release();
    expect(broker.readyMessages(JOBS)).toBe(1);
    broker.purgeLock(JOBS);
    expect(broker.readyMessages(JOBS)).toBe(0);
    await clock.advance(10);
    expect((await connect().lock('jobs').acquire()).fence).toBeGreaterThan(lease.fence);
  });

  test('publish puts a message behind all others, which is never granted', async () => {
    const { lease, next } = await holderAndWaiter();
    broker.publish(JOBS, Buffer.from('not a token'), { returns: 3, expirationMs: 60_000 });
    expect(broker.readyMessages(JOBS)).toBe(1);
    await lease.release();
    expect((next.value?.fence ?? 0n) - lease.fence).toBeLessThan(5n);
    expect(broker.readyMessages(JOBS)).toBe(1);
  });

  test('alarm keeps new locks from being made until it ends; existing ones work', async () => {
    const { b, lease, next } = await holderAndWaiter();
    broker.alarm(true);
    const made = watch(b.lock('new').acquire());
    await clock.advance(10_000);
    await lease.release();
    await clock.advance(0);
    expect([made, b.state]).toEqual([{}, 'blocked']);
    expect(next.value).toBeDefined();
    broker.alarm(false);
    await clock.advance(0);
    expect([made.value?.name, b.state]).toEqual(['new', 'open']);
  });

  test('restart costs every connection; locks stay, coordinators connect again', async () => {
    const { a, lease, next } = await holderAndWaiter();
    const states: string[] = [];
    a.on('state', ({ to }) => states.push(to));
    broker.restart();
    await clock.advance(10);
    expect(reasonOf(lease)).toBe('connection-closed');
    expect(states).toEqual(['reconnecting', 'open']);
    expect(next.value?.fence).toBeGreaterThan(lease.fence);
  });

  test('an address has a namespace, default if it is not given', async () => {
    const lease = await connect({ namespace: 'team' }).lock('jobs').acquire();
    expect(() => broker.readyMessages(JOBS)).toThrow('no queue baton.default.lock.jobs');
    broker.loseLease({ name: 'jobs', namespace: 'team' });
    await clock.advance(0);
    expect(reasonOf(lease)).toBe('channel-closed');
  });

  test('line breaks, freezes and mends what is between one coordinator and the broker, and no other', async () => {
    const { a, b, lease, next } = await holderAndWaiter();
    broker.line(a).freeze();
    await clock.advance(15_000);
    expect(reasonOf(lease)).toBe('verification-timeout');
    expect(next).toEqual({});
    broker.line(a).dropFrozen();
    await clock.advance(0);
    expect(next.value).toBeDefined();
    broker.line(a).thaw();
    broker.line(b).disconnect({ reconnectAfterMs: Number.POSITIVE_INFINITY });
    await clock.advance(60_000);
    expect([a.state, b.state]).toEqual(['open', 'reconnecting']);
    broker.line(b).reconnect();
    await clock.advance(0);
    expect(b.state).toBe('open');
    expect(() => new TestBroker().line(a)).toThrow('not connected to this TestBroker');
  });

  test('a purged lock heals although every caller waits less than the grace', async () => {
    const fleet = Array.from({ length: 20 }, () => connect({ healAfterMs: 5_000 }));
    await (await fleet[0]?.lock('jobs').acquire())?.release();
    broker.purgeLock(JOBS);
    let healed = false;
    const again = async (baton: Coordinator) => {
      while (!healed) {
        const lease = await baton
          .lock('jobs')
          .acquire({ timeoutMs: 1_000 })
          .catch(() => undefined);
        healed ||= lease !== undefined;
        await lease?.release();
      }
    };
    const callers = fleet.map(again);
    for (let waited = 0; waited < 120_000 && !healed; waited += 1_000) await clock.advance(1_000);
    expect(healed).toBe(true);
    await clock.advance(1_000);
    await Promise.all(callers);
  });
});
