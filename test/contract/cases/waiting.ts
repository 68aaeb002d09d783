import { expect } from 'vitest';
import type { Lease, Lock } from '../../../src/index.ts';
import type { Case } from '../contract.ts';
import { queueUp, rejection, turn } from './tools.ts';

export const waiting: readonly Case[] = [
  {
    title: 'tryAcquire gets a free lock, and undefined when it is held, in another coordinator or in its own',
    needs: [],
    concurrent: true,
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      for (let round = 0; round < 5; round += 1) {
        const lease = await a.lock(scene.lock).tryAcquire();
        expect(lease).toBeDefined();
        expect(await b.lock(scene.lock).tryAcquire()).toBeUndefined();
        expect(await a.lock(scene.lock).tryAcquire()).toBeUndefined();
        await lease?.release();
        const again = await a.lock(scene.lock).tryAcquire();
        expect(again, 'at once, in the process that released it').toBeDefined();
        await again?.release();
      }
      // Elsewhere, as soon as the broker has it back: that is a moment after it has confirmed the release.
      await expect.poll(() => scene.queue.ready()).toBe(1);
      const there = await b.lock(scene.lock).tryAcquire();
      expect(there).toBeDefined();
      await there?.release();
    },
  },
  {
    title:
      'tryAcquire is answered within 150 ms, whatever its own process does with the lock: takes and releases it, or waits in vain',
    needs: [],
    concurrent: true,
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      const lock = a.lock(scene.lock);
      const meter = await b.lock(`${scene.lock}/meter`).acquire();
      const answered = () => answeredSoon(lock, meter);
      await during(
        () => lock.run(() => pause(20 + Math.random() * 60)),
        async () => {
          for (let round = 0; round < 6; round += 1) await (await answered())?.release();
        },
      );
      await using _held = await b.lock(scene.lock).acquire();
      await during(
        () => lock.acquire({ timeoutMs: 20 }).catch(() => {}),
        async () => {
          for (let round = 0; round < 3; round += 1) expect(await answered()).toBeUndefined();
        },
      );
      await meter.release();
      await scene.forget([meter.name]);
    },
  },
  {
    title: 'tryAcquire with a timeout waits that long and no longer',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      const held = await baton.lock(scene.lock).acquire();
      expect(await baton.lock(scene.lock).tryAcquire({ timeoutMs: 200 })).toBeUndefined();
      const later = baton.lock(scene.lock).tryAcquire({ timeoutMs: 20_000 });
      await held.release();
      await (await later)?.release();
      expect(await later).toBeDefined();
    },
  },
  {
    title: 'acquire rejects with AcquireTimeoutError after timeoutMs, and the lock is none the worse',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      const held = await baton.lock(scene.lock).acquire();
      for (const timeoutMs of [0, 1, 100]) {
        const error = await rejection(baton.lock(scene.lock).acquire({ timeoutMs }));
        expect(error.code).toBe('acquire-timeout');
        expect(error.message).toContain(`${timeoutMs} ms`);
      }
      await held.verify();
      await held.release();
      await (await baton.lock(scene.lock).acquire({ timeoutMs: 5_000 })).release();
    },
  },
  {
    title: 'an abort rejects with the caller’s own reason, untouched; before the call nothing is even asked',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      await using _held = await baton.lock(scene.lock).acquire();
      const reason = { mine: true };
      const abort = new AbortController();
      const waiting = baton.lock(scene.lock).acquire({ signal: abort.signal });
      await turn();
      abort.abort(reason);
      await expect(waiting).rejects.toBe(reason);
      await expect(baton.lock(scene.lock).acquire({ signal: AbortSignal.abort(reason) })).rejects.toBe(
        reason,
      );
      await expect(
        baton.lock(scene.lock).tryRun(() => 1, { signal: AbortSignal.abort(reason) }),
      ).rejects.toBe(reason);
    },
  },
  {
    title: 'a timeout or an abort at the very moment of the grant leaks nothing: the token goes on',
    needs: [],
    concurrent: true,
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      const tookMs = await handOffMs(a.lock(scene.lock), b.lock(scene.lock));
      let granted = 0;
      for (let round = 0; round < 60; round += 1) {
        const held = await a.lock(scene.lock).acquire({ timeoutMs: 5_000 });
        const abort = new AbortController();
        const waiting = b.lock(scene.lock).acquire({ signal: abort.signal });
        const outcome = waiting.then(
          async (lease) => {
            granted += 1;
            lease.throwIfLost();
            await lease.release();
          },
          (error: unknown) => expect(error).toBe(abort.signal.reason),
        );
        // From "at once" to "four times as late as usual", so that the two meet somewhere.
        const abortAt = performance.now() + tookMs * 4 * (round / 59);
        const released = held.release();
        while (performance.now() < abortAt) await turn();
        abort.abort(new Error(`round ${round}`));
        await Promise.all([released, outcome]);
      }
      // It must have gone both ways, or the moment was never hit.
      expect(granted).toBeGreaterThan(0);
      expect(granted).toBeLessThan(60);
    },
  },
  {
    title: 'an abort after the grant ends nothing: the lease is held',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      const abort = new AbortController();
      const lease = await baton.lock(scene.lock).acquire({ signal: abort.signal });
      abort.abort();
      await lease.verify();
      expect(lease.signal.aborted).toBe(false);
      await lease.release();
    },
  },
  {
    title: 'an explicit undefined means the default, for every option',
    needs: [],
    async run(scene) {
      const baton = await scene.connect({
        service: undefined,
        namespace: undefined,
        heartbeatMs: undefined,
        leaseMs: undefined,
        verifyEveryMs: undefined,
        healAfterMs: undefined,
        grant: undefined,
        connectTimeoutMs: undefined,
        socketOptions: undefined,
        logger: undefined,
      });
      const lock = baton.lock(scene.lock, { grant: undefined });
      const lease = await lock.acquire({ timeoutMs: undefined, signal: undefined });
      expect(lease.remainingMs).toBeGreaterThan(10_000);
      expect(await lock.tryAcquire({ timeoutMs: undefined, signal: undefined })).toBeUndefined();
      await lease.release();
      await baton.close({ drainMs: undefined });
    },
  },
  {
    title: 'close ends every wait with ClosedError, lets holders finish, and refuses new calls',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      const held = await baton.lock(scene.lock).acquire();
      const { lease: waiting } = await queueUp(baton.lock(scene.lock));
      const refused = rejection(waiting);
      let closed = false;
      const closing = baton.close({ drainMs: 20_000 }).then(() => {
        closed = true;
      });
      expect((await refused).code).toBe('closed');
      expect((await rejection(baton.lock(scene.lock).acquire())).code).toBe('closed');
      await held.verify();
      expect(closed).toBe(false);
      await held.release();
      await closing;
      expect(baton.state).toBe('closed');
      const other = await scene.connect();
      await (await other.lock(scene.lock).acquire({ timeoutMs: 5_000 })).release();
    },
  },
  {
    title: 'close takes away what is still held after drainMs, says so, and the next waiter is granted',
    needs: [],
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      const held = await a.lock(scene.lock).acquire();
      const { lease: next } = await queueUp(b.lock(scene.lock));
      await a.close({ drainMs: 50 });
      expect(held.signal.aborted).toBe(true);
      expect(held.signal.reason).toMatchObject({ code: 'lease-lost', reason: 'coordinator-closed' });
      await held.release();
      await (await next).release();
    },
  },
];

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** Does one thing again and again while the other one lasts. */
async function during(again: () => Promise<unknown>, work: () => Promise<void>): Promise<void> {
  let busy = true;
  const repeated = (async () => {
    while (busy) await again();
  })();
  await work().finally(() => {
    busy = false;
  });
  await repeated;
}

/**
 * On a healthy broker, that is: what its round trips take is allowed for, generously, because on a busy machine they take
 * longer than anything else. A try that nobody answers rejects after a second.
 */
async function answeredSoon(lock: Lock, meter: Lease): Promise<Lease | undefined> {
  const startedAt = performance.now();
  let longestMs = 0;
  let tookMs = 0;
  const attempt = lock.tryAcquire().finally(() => {
    tookMs = performance.now() - startedAt;
  });
  const answer = attempt.catch(() => undefined);
  while (tookMs === 0) {
    const askedAt = performance.now();
    await meter.verify();
    await turn(); // a broker in memory answers before any timer can run
    longestMs = Math.max(longestMs, performance.now() - askedAt);
  }
  expect(tookMs).toBeLessThan(150 + 10 * longestMs);
  return answer;
}

/** How long a release takes to be the next waiter's grant: the middle of nine. */
async function handOffMs(from: Lock, to: Lock): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 9; i += 1) {
    const held = await from.acquire();
    const { lease } = await queueUp(to);
    const started = performance.now();
    void held.release();
    await (await lease).release();
    times.push(performance.now() - started);
  }
  return times.sort((x, y) => x - y)[4] ?? 0;
}
