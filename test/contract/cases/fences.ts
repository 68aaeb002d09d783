import { expect } from 'vitest';
import type { Case } from '../contract.ts';
import { expectRising, inLine, lossOf, queueUp } from './tools.ts';

const HEALS = { healAfterMs: 2_000 } as const;

export const fences: readonly Case[] = [
  {
    title: 'the fence rises across 200 grants of several coordinators',
    needs: [],
    async run(scene) {
      const batons = [await scene.connect(), await scene.connect(), await scene.connect()];
      const seen: bigint[] = [];
      for (let i = 0; i < 200; i += 1) {
        const lease = await batons[i % 3]?.lock(scene.lock).acquire();
        seen.push(lease?.fence ?? 0n);
        await lease?.release();
      }
      expectRising(seen);
    },
  },
  {
    title: '25 crashes of the holder in a row lose no token, and the fence rises',
    needs: ['line'],
    timeoutMs: 60_000,
    async run(scene) {
      const seen: bigint[] = [];
      for (let i = 0; i < 25; i += 1) {
        const a = await scene.connect();
        const lease = await a.lock(scene.lock).acquire({ timeoutMs: 10_000 });
        seen.push(lease.fence);
        const loss = lossOf(lease);
        scene.line(a).reset();
        expect((await loss).reason).toBe('connection-closed');
      }
      const b = await scene.connect();
      const last = await b.lock(scene.lock).acquire({ timeoutMs: 10_000 });
      expectRising([...seen, last.fence]);
      await last.release();
    },
  },
  {
    title:
      'a purge while the lock is held takes nothing from the holder; when it is free the fence still rises',
    needs: [],
    async run(scene) {
      const baton = await scene.connect(HEALS);
      const first = await baton.lock(scene.lock).acquire();
      await scene.queue.purge();
      await first.verify();
      await first.release();
      await scene.queue.purge();
      const second = await baton.lock(scene.lock).acquire({ timeoutMs: 20_000 });
      expectRising([first.fence, second.fence]);
      await second.release();
    },
  },
  {
    title:
      'a deletion while the lock is held is told to the holder, waiters recreate it, and the fence rises',
    needs: [],
    concurrent: true,
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      const first = await a.lock(scene.lock).acquire();
      const { lease: second } = await queueUp(b.lock(scene.lock));
      const { lease: third } = await queueUp(a.lock(scene.lock));
      const loss = lossOf(first);
      await scene.queue.remove();
      expect((await loss).reason).toBe('queue-deleted');
      const next = await Promise.race([second, third]);
      expect(next.fence).toBeGreaterThan(first.fence);
      const other = next === (await Promise.race([second, Promise.resolve()])) ? third : second;
      await next.release();
      const last = await other;
      expectRising([first.fence, next.fence, last.fence]);
      await last.release();
    },
  },
  {
    title: 'a lock that is deleted and recreated ten times never repeats a fence',
    needs: [],
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      const seen: bigint[] = [];
      for (let i = 0; i < 10; i += 1) {
        const lease = await (i % 2 === 0 ? a : b).lock(scene.lock).acquire({ timeoutMs: 10_000 });
        seen.push(lease.fence);
        await lease.release();
        await scene.queue.remove();
      }
      expectRising(seen);
    },
  },
  {
    title: 'a purged lock heals for callers that wait only 2 s each',
    needs: [],
    timeoutMs: 60_000,
    async run(scene) {
      const [a, b] = [await scene.connect(HEALS), await scene.connect(HEALS)];
      const before = await a.lock(scene.lock).acquire();
      await before.release();
      await (await b.lock(scene.lock).acquire()).release();
      await scene.queue.purge();
      const attempt = (baton: typeof a) => baton.lock(scene.lock).tryAcquire({ timeoutMs: 2_000 });
      const healed = await until(async () => {
        const [x, y] = await Promise.all([attempt(a), attempt(b)]);
        if (x !== undefined) await x.release();
        if (y !== undefined) await y.release();
        return y ?? x;
      });
      expect(healed.fence).toBeGreaterThan(before.fence);
    },
  },
  {
    title: 'a purged lock heals for tryAcquire',
    needs: [],
    timeoutMs: 60_000,
    async run(scene) {
      const baton = await scene.connect(HEALS);
      const before = await baton.lock(scene.lock).acquire();
      await before.release();
      await scene.queue.purge();
      const healed = await until(() => baton.lock(scene.lock).tryAcquire());
      expect(healed.fence).toBeGreaterThan(before.fence);
      await healed.release();
    },
  },
  {
    title: 'a purged lock heals under waiters that never give up, by a probe',
    needs: [],
    concurrent: true,
    timeoutMs: 60_000,
    async run(scene) {
      const [a, b] = [await scene.connect(HEALS), await scene.connect(HEALS)];
      const before = await a.lock(scene.lock).acquire();
      await before.release();
      await (await b.lock(scene.lock).acquire()).release();
      await scene.queue.purge();
      const bothInLine = inLine(scene.lock, 2);
      const waiters = [a.lock(scene.lock).acquire(), b.lock(scene.lock).acquire()];
      await bothInLine; // known names are not looked up again, so now two wait and there is no token
      const seen = [before.fence];
      for (const lease of await Promise.all(
        waiters.map(async (waiter) => {
          const granted = await waiter;
          await granted.release();
          return granted;
        }),
      ))
        seen.push(lease.fence);
      expectRising([before.fence, ...seen.slice(1).sort((x, y) => (x < y ? -1 : 1))]);
      expect(new Set(seen).size).toBe(3);
    },
  },
];

/** Tries until something comes. The test's own timeout is the bound. */
async function until<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const value = await attempt();
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
