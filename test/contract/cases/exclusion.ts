import { expect } from 'vitest';
import type { Coordinator } from '../../../src/index.ts';
import type { Case, Scene } from '../contract.ts';
import { expectRising, inLine, queueUp, Section } from './tools.ts';

async function contend(scene: Scene, contenders: number, rounds: number): Promise<void> {
  const coordinators: Coordinator[] = [];
  for (let i = 0; i < Math.min(contenders, 4); i += 1) coordinators.push(await scene.connect());
  const section = new Section();
  const one = async (index: number) => {
    const lock = coordinators[index % coordinators.length]?.lock(scene.lock);
    for (let round = 0; round < rounds; round += 1) {
      await lock?.run((lease) => section.pass(lease, () => new Promise((resolve) => setImmediate(resolve))));
    }
  };
  await Promise.all(Array.from({ length: contenders }, (_, index) => one(index)));
  expect(section.entered).toBe(contenders * rounds);
  expectRising(section.fences);
}

export const exclusion: readonly Case[] = [
  ...[2, 10, 50].map(
    (contenders): Case => ({
      title: `${contenders} contenders never overlap, and their fences rise`,
      needs: [],
      concurrent: true,
      run: (scene) => contend(scene, contenders, contenders === 2 ? 50 : 5),
    }),
  ),
  {
    title: 'verified grants exclude as well as immediate ones',
    needs: [],
    concurrent: true,
    async run(scene) {
      const [a, b] = [
        await scene.connect({ grant: 'verified' }),
        await scene.connect({ grant: 'immediate' }),
      ];
      const section = new Section();
      const one = async (coordinator: Coordinator) => {
        for (let round = 0; round < 20; round += 1)
          await coordinator.lock(scene.lock).run((lease) => section.pass(lease));
      };
      await Promise.all([one(a), one(b)]);
      expectRising(section.fences);
    },
  },
  {
    title: 'waiters are granted first in, first out, across coordinators',
    needs: [],
    concurrent: true,
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      const held = await a.lock(scene.lock).acquire();
      const order: number[] = [];
      const waiters: Promise<void>[] = [];
      for (let i = 0; i < 12; i += 1) {
        const { lease } = await queueUp((i % 2 === 0 ? a : b).lock(scene.lock));
        waiters.push(
          lease.then(async (granted) => {
            order.push(i);
            await granted.release();
          }),
        );
      }
      await held.release();
      await Promise.all(waiters);
      expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    },
  },
  {
    title: 'a waiter that gives up does not disturb the order of the others',
    needs: [],
    concurrent: true,
    async run(scene) {
      const baton = await scene.connect();
      const held = await baton.lock(scene.lock).acquire();
      const abort = new AbortController();
      const first = await queueUp(baton.lock(scene.lock));
      const waiting = inLine(scene.lock);
      const second = baton.lock(scene.lock).acquire({ signal: abort.signal });
      second.catch(() => {});
      await waiting;
      const third = await queueUp(baton.lock(scene.lock));
      abort.abort(new Error('changed my mind'));
      await expect(second).rejects.toThrow('changed my mind');
      await held.release();
      await (await first.lease).release();
      await (await third.lease).release();
    },
  },
  {
    title: '1,000 waiters on one lock from one process are all granted, in order',
    needs: [],
    timeoutMs: 120_000,
    async run(scene) {
      const baton = await scene.connect();
      const lock = baton.lock(scene.lock);
      const held = await lock.acquire();
      const everybody = inLine(scene.lock, 1_000);
      const section = new Section();
      const waiters = Array.from({ length: 1_000 }, () => lock.run((lease) => section.pass(lease)));
      await everybody;
      await held.release();
      await Promise.all(waiters);
      expect(section.entered).toBe(1_000);
      expectRising(section.fences);
    },
  },
  {
    title: '1,000 locks are held and verified by one process at once',
    needs: [],
    timeoutMs: 180_000,
    async run(scene) {
      const baton = await scene.connect();
      const names = Array.from({ length: 1_000 }, (_, i) => `${scene.lock}/${i}`);
      const leases = await Promise.all(names.map((name) => baton.lock(name).acquire()));
      await Promise.all(leases.map((lease) => lease.verify()));
      for (const lease of leases) lease.throwIfLost();
      await Promise.all(leases.map((lease) => lease.release()));
      await scene.forget(names);
    },
  },
  {
    title: 'a name is any 1 to 255 characters of Unicode, and names that look alike are different locks',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      const long = '鎖'.repeat(200);
      const names = ['é', 'e\u0301', '%C3%A9', '#x', ' ', '\u0000', '🔒', 'A', 'a', `${long}a`, `${long}b`];
      const leases = await Promise.all(
        names.map((name) => baton.lock(`${scene.lock.slice(-12)}${name}`).acquire()),
      );
      expect(leases).toHaveLength(names.length);
      for (const lease of leases) await lease.release();
      await scene.forget(names.map((name) => `${scene.lock.slice(-12)}${name}`));
    },
  },
  {
    title: 'locks of different namespaces never meet',
    needs: [],
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect({ namespace: 'other' })];
      await using _held = await a.lock(scene.lock).acquire();
      const other = await b.lock(scene.lock).tryAcquire({ timeoutMs: 10_000 });
      expect(other).toBeDefined();
      await other?.release();
      await scene.forget([scene.lock], 'other');
    },
  },
];
