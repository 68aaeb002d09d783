import { expect } from 'vitest';
import type { Case } from '../contract.ts';
import { lossOf, queueUp, rejection } from './tools.ts';

export const leases: readonly Case[] = [
  {
    title: 'release is idempotent and the second call waits for the same answer',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      const lease = await baton.lock(scene.lock).acquire();
      const [first, second] = [lease.release(), lease.release()];
      expect(second).toBe(first);
      await first;
      await lease.release();
      expect(lease.remainingMs).toBe(0);
      expect(lease.signal.aborted).toBe(false);
      expect(() => lease.throwIfLost()).toThrowError(/was released/);
      expect((await rejection(lease.verify())).code).toBe('closed');
    },
  },
  {
    title: 'a release during a verification releases, and the verification says why it ended',
    needs: [],
    concurrent: true,
    async run(scene) {
      const baton = await scene.connect();
      for (let round = 0; round < 10; round += 1) {
        const lease = await baton.lock(scene.lock).acquire();
        const verification = rejection(lease.verify());
        await lease.release();
        expect((await verification).code).toBe('closed');
      }
    },
  },
  {
    title: 'verify asks the broker at once, and many at a time all get an answer',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      const lease = await baton.lock(scene.lock).acquire();
      await Promise.all([lease.verify(), lease.verify(), lease.verify()]);
      for (let i = 0; i < 20; i += 1) await lease.verify();
      expect(lease.remainingMs).toBeGreaterThan(10_000);
      await lease.release();
    },
  },
  {
    title:
      'verifications go on by themselves for as long as the lock is held, and waiters see nothing of them',
    needs: [],
    async run(scene) {
      const baton = await scene.connect({ leaseMs: 400, verifyEveryMs: 100 });
      const lease = await baton.lock(scene.lock).acquire();
      const { lease: next } = await queueUp(baton.lock(scene.lock));
      const until = performance.now() + 1_500; // nearly four leases
      while (performance.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        lease.throwIfLost();
        expect(lease.remainingMs).toBeGreaterThan(0);
      }
      await lease.release();
      await (await next).release();
    },
  },
  {
    title: 'run returns what its task returns and releases, also when the task throws; the task’s error wins',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      const lock = baton.lock(scene.lock);
      expect(await lock.run(({ fence }) => typeof fence)).toBe('bigint');
      const mine = new Error('mine');
      await expect(lock.run(() => Promise.reject(mine))).rejects.toBe(mine);
      expect(await lock.tryRun(() => 7)).toBe(7);
      await using _held = await lock.acquire();
      expect(await lock.tryRun(() => expect.fail('ran without the lock'))).toBeUndefined();
    },
  },
  {
    title:
      'a task that resolves although its lease was lost rejects with LeaseLostError, and its own error still wins',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      const lock = baton.lock(scene.lock);
      const loseIt = async (lease: Parameters<typeof lossOf>[0]) => {
        const loss = lossOf(lease);
        await scene.queue.remove();
        await loss;
      };
      expect(await rejection(lock.run(loseIt))).toMatchObject({
        code: 'lease-lost',
        reason: 'queue-deleted',
      });
      const mine = new Error('mine');
      const both = lock.run(async (lease) => {
        await loseIt(lease);
        throw mine;
      });
      await expect(both).rejects.toBe(mine);
    },
  },
  {
    title:
      'a release after a loss is instant, and every later call is a no-op or says that the lease is lost',
    needs: [],
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      const lease = await a.lock(scene.lock).acquire();
      const loss = lossOf(lease);
      await scene.queue.remove();
      expect((await loss).reason).toBe('queue-deleted');
      const next = await b.lock(scene.lock).acquire({ timeoutMs: 10_000 });
      await lease.release();
      await lease.release();
      expect(() => lease.throwIfLost()).toThrowError(/lost/);
      expect((await rejection(lease.verify())).code).toBe('lease-lost');
      await next.verify(); // the loser's release freed nobody else's lock
      await next.release();
    },
  },
  {
    title:
      'a deletion is told to the holder and to every waiter also when somebody makes the queue again at once',
    needs: ['administration'],
    concurrent: true,
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      const lease = await a.lock(scene.lock).acquire();
      const { lease: first } = await queueUp(a.lock(scene.lock));
      const { lease: second } = await queueUp(b.lock(scene.lock));
      const loss = lossOf(lease);
      const from = performance.now();
      await scene.queue.replace();
      expect(['queue-deleted', 'consumer-cancelled']).toContain((await loss).reason);
      // Long before the first look of somebody who waits in vain.
      expect(performance.now() - from).toBeLessThan(3_000);
      const one = await Promise.any([first, second]);
      await one.release();
      for (const next of [await first, await second]) await next.release();
      expect(performance.now() - from).toBeLessThan(3_000);
      expect(one.fence).toBeGreaterThan(lease.fence);
    },
  },
  {
    title:
      'a holder that stood still for longer than its lease knows at the next instruction, before any timer has run',
    needs: [],
    async run(scene) {
      const baton = await scene.connect({ leaseMs: 400, verifyEveryMs: 200 });
      for (const ask of ['remainingMs', 'throwIfLost', 'verify', 'run'] as const) {
        const standStill = () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
        if (ask === 'run') {
          const error = await rejection(baton.lock(scene.lock).run(standStill));
          expect(error).toMatchObject({ code: 'lease-lost', reason: 'verification-timeout' });
          continue;
        }
        const lease = await baton.lock(scene.lock).acquire();
        standStill();
        if (ask === 'remainingMs') expect(lease.remainingMs).toBe(0);
        if (ask === 'verify') expect((await rejection(lease.verify())).code).toBe('lease-lost');
        if (ask === 'throwIfLost') {
          expect(() => lease.throwIfLost()).toThrowError(/lost/);
          expect(lease.signal.aborted).toBe(true);
        }
        await lease.release();
      }
    },
  },
];
