import { expect } from 'vitest';
import { FENCES_PER_RETURN } from '../../../src/protocol/fence.ts';
import type { Case } from '../contract.ts';
import { expectRising, queueUp, rejection, SHORT } from './tools.ts';

/** The shortest that is allowed; RabbitMQ looks every 5 s for what has expired. */
const IDLE = { ...SHORT, idleExpiryMs: 10_000 } as const;
const GONE = { timeout: 20_000, interval: 100 };

export const idleExpiry: readonly Case[] = [
  {
    title:
      'an idle lock expires, one that is held and waited for all that time does not, and fences rise across it',
    needs: [],
    timeoutMs: 60_000,
    async run(scene) {
      const [a, b] = [await scene.connect(IDLE), await scene.connect(IDLE)];
      const [idle, tried] = [`${scene.lock}/idle`, `${scene.lock}/tried`];
      const held = await a.lock(scene.lock).acquire();
      const { lease: waiting } = await queueUp(b.lock(scene.lock));
      const fences: bigint[] = [];
      for (const baton of [a, b]) fences.push(await baton.lock(idle).run(({ fence }) => fence));
      const beforeTry = await a.lock(tried).run(({ fence }) => fence);
      expect(await scene.queue.exists({ name: idle })).toBe(true);

      for (const name of [idle, tried])
        await expect.poll(() => scene.queue.exists({ name }), GONE).toBe(false);
      await held.verify();
      await held.release();
      const next = await waiting;
      expectRising([held.fence, next.fence]);
      const rise = next.fence - held.fence;
      expect(rise, 'the token is the same').toBeLessThan(1_000n * BigInt(FENCES_PER_RETURN));

      // Both still think that they know the queue.
      for (const baton of [a, b]) fences.push(await baton.lock(idle).run(({ fence }) => fence));
      const newcomer = await scene.connect(IDLE);
      fences.push(await newcomer.lock(idle).run(({ fence }) => fence));
      expectRising(fences);
      const afterTry = await a.lock(tried).tryAcquire();
      expect(afterTry?.fence).toBeGreaterThan(beforeTry);
      await afterTry?.release();
      await next.release();
      await scene.forget([idle, tried]);
    },
  },
  {
    title: 'who gives another idleExpiryMs is told so, in the same process and in another one',
    needs: [],
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect(IDLE)];
      const lease = await a.lock(scene.lock).acquire();
      for (const other of [a.lock(scene.lock, { idleExpiryMs: 60_000 }), b.lock(scene.lock)]) {
        const error = await rejection(other.acquire({ timeoutMs: 10_000 }));
        expect(error.code).toBe('queue-mismatch');
        expect(error.message).toMatch(/idleExpiryMs/);
      }
      await lease.release();
      const later = await rejection(
        a.lock(scene.lock, { idleExpiryMs: 60_000 }).acquire({ timeoutMs: 10_000 }),
      );
      expect(later.code, 'nobody uses it here any more, but the broker compares').toBe('queue-mismatch');
      await b.lock(scene.lock, { idleExpiryMs: Number.POSITIVE_INFINITY }).run(() => {});
    },
  },
];
