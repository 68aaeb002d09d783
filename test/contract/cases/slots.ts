import { expect } from 'vitest';
import { slotOf } from '../../../src/protocol/queues.ts';
import type { Case } from '../contract.ts';
import { expectRising, queueUp, rejection } from './tools.ts';

const SLOTS = 4;

/** Names, one for each slot, and `twin`, which shares the slot of the first. */
function names(lock: string): { each: string[]; twin: string } {
  const all = Array.from({ length: 200 }, (_, i) => `${lock}/${i}`);
  const inSlot = (slot: number) => all.filter((name) => slotOf(name, SLOTS) === slot);
  return {
    each: Array.from({ length: SLOTS }, (_, slot) => inSlot(slot)[0] ?? ''),
    twin: inSlot(0)[1] ?? '',
  };
}

export const slots: readonly Case[] = [
  {
    title: 'names of one slot exclude each other with fences that rise, names of other slots do not wait',
    needs: [],
    async run(scene) {
      const namespace = `s${scene.lock.slice(-12)}`;
      const options = { namespace, slots: SLOTS };
      const [a, b] = [await scene.connect(options), await scene.connect(options)];
      const { each, twin } = names(scene.lock);
      const leases = await Promise.all(each.map((name) => a.lock(name).acquire()));
      expect(leases.map(({ name }) => name)).toEqual(each);
      expect(await b.lock(twin).tryAcquire()).toBeUndefined();
      const { lease: waiting } = await queueUp(b.lock(twin));
      for (const lease of leases) await lease.release();
      const second = await waiting;
      expect(second.name).toBe(twin);
      await second.verify();
      await second.release();
      const third = await a.lock(each[0] ?? '').acquire();
      expectRising([leases[0]?.fence ?? 0n, second.fence, third.fence]);
      await third.release();
      await scene.forget(each, namespace, SLOTS);
    },
  },
  {
    title: 'who gives another number of slots, or none, never meets the others',
    needs: [],
    async run(scene) {
      const namespace = `s${scene.lock.slice(-12)}`;
      const numbers = [undefined, 1, SLOTS];
      const leases = [];
      for (const slots of numbers) {
        const baton = await scene.connect({ namespace, slots });
        leases.push(await baton.lock(scene.lock).acquire({ timeoutMs: 5_000 }));
      }
      for (const lease of leases) await lease.verify();
      for (const lease of leases) await lease.release();
      for (const slots of numbers) await scene.forget([scene.lock], namespace, slots);
    },
  },
  {
    title: 'who takes two names of one slot waits for itself',
    needs: [],
    async run(scene) {
      const namespace = `s${scene.lock.slice(-12)}`;
      const baton = await scene.connect({ namespace, slots: 1 });
      const lease = await baton.lock('one').acquire();
      expect((await rejection(baton.lock('other').acquire({ timeoutMs: 200 }))).code).toBe('acquire-timeout');
      await lease.release();
      await scene.forget(['one'], namespace, 1);
    },
  },
  {
    title: 'three hundred names leave no more queues than there are slots',
    needs: ['administration'],
    timeoutMs: 60_000,
    async run(scene) {
      const namespace = `s${scene.lock.slice(-12)}`;
      const baton = await scene.connect({ namespace, slots: SLOTS });
      for (let i = 0; i < 300; i += 1) await baton.lock(`job:${i}`).run(() => {});
      const listed = await scene.control.ctl('-q', 'list_queues', '--no-table-headers', 'name');
      const queues = listed.split('\n').filter((name) => name.startsWith(`baton.${namespace}.`));
      expect(queues.sort()).toEqual(
        [0, 1, 2, 3].map((slot) => `baton.${namespace}.slot.${slot}-of-${SLOTS}`),
      );
      await scene.forget(names('').each, namespace, SLOTS);
    },
  },
];
