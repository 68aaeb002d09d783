import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { z } from 'zod';
import { FENCES_PER_RETURN, INT64_MAX } from '../../../src/protocol/fence.ts';
import { encodeEntry } from '../../../src/protocol/register/entry.ts';
import type { Case, Scene } from '../contract.ts';
import { inLine, lossOf, queueUp, rejection, SHORT, turn } from './tools.ts';

const COUNT = { state: z.number() };

/** What somebody with that fence publishes, early or late. */
function written(scene: Scene, fence: bigint, state: number | undefined, seq = 99): Uint8Array {
  return encodeEntry({ id: randomUUID(), fence, seq, state }, { name: scene.lock, by: 'x', at: Date.now() });
}

/** What happens to a register: late writes, stale holders, destruction, foreign messages. */
export const register: readonly Case[] = [
  {
    title:
      'a stale holder’s late write has no effect: while the next one holds, after it, or before the next read',
    needs: [],
    concurrent: true,
    async run(scene) {
      const baton = await scene.connect();
      const lock = baton.lock(scene.lock, COUNT);
      const stale = await lock.acquire();
      await stale.release({ state: 1 });
      const holder = await lock.acquire();
      await scene.register.put(written(scene, stale.fence, 666));
      await holder.save(2);
      expect(holder.state).toBe(2);
      await holder.release();
      await scene.register.put(written(scene, stale.fence, 667)); // nobody is there
      const idle = await lock.acquire(); // and does not save
      expect(idle.state).toBe(2);
      await scene.register.put(written(scene, holder.fence, 668));
      await idle.verify();
      await idle.release();
      await scene.register.put(written(scene, holder.fence, 669)); // above what the register holds
      const last = await lock.acquire();
      expect(last.state).toBe(2);
      await last.release();
      await expect.poll(() => scene.register.ready()).toBe(1);
    },
  },
  {
    title:
      'anybody who is granted while a stale holder still has the register waits for it, and reads what that one saved last',
    needs: ['take-back'],
    async run(scene) {
      const [a, b] = [await scene.connect(SHORT), await scene.connect(SHORT)];
      const stale = await a.lock(scene.lock, COUNT).acquire();
      await stale.save(1);
      const { lease: waiting } = await queueUp(b.lock(scene.lock, COUNT));
      scene.takeBack(); // the token is with b now, and a does not know
      await stale.save(2); // a still has the register, so this is confirmed and must be read
      const loss = lossOf(stale);
      const next = await waiting;
      expect((await loss).reason).toMatch(/superseded|verification-timeout/);
      expect(next.state).toBe(2);
      await next.release();
    },
  },
  {
    title:
      'a holder that lost both without a word is never told that a save is done, and its write has no effect',
    needs: ['take-back'],
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      const stale = await a.lock(scene.lock, COUNT).acquire();
      await stale.save(1);
      const { lease: waiting } = await queueUp(b.lock(scene.lock, COUNT));
      scene.takeBack();
      await settled(); // b waits for the register behind a
      scene.takeBack('register');
      const next = await waiting;
      expect(next.state).toBe(1);
      const late = rejection(stale.save(2, { timeoutMs: 1_000 }));
      expect((await late).code).toBe('broker-unreachable');
      await next.save(3);
      await next.release();
      const last = await b.lock(scene.lock, COUNT).acquire();
      expect(last.state).toBe(3);
      await last.release();
    },
  },
  {
    title: 'a caller that gives up while a stale holder has the register gives the token back',
    needs: ['take-back'],
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      const stale = await a.lock(scene.lock, COUNT).acquire();
      const abort = new AbortController();
      const hasItsPlace = inLine(scene.lock);
      const waiting = b.lock(scene.lock, COUNT).acquire({ signal: abort.signal });
      await hasItsPlace;
      const { lease: behind } = await queueUp(b.lock(scene.lock));
      scene.takeBack();
      await settled();
      abort.abort(new Error('enough'));
      expect((await rejection(waiting)).message).toBe('enough');
      await (await behind).release(); // without state it needs no register
      await stale.release();
    },
  },
  {
    title:
      'what somebody writes above the fence of a holder does not undo a confirmed save: the token says that it is foreign',
    needs: [],
    concurrent: true,
    async run(scene) {
      const baton = await scene.connect();
      const lock = baton.lock(scene.lock, COUNT);
      const holder = await lock.acquire();
      await holder.save(1);
      await scene.register.put(written(scene, holder.fence, 666));
      await scene.register.put(written(scene, holder.fence + 2n ** 20n, 667));
      await holder.save(2);
      await holder.verify(); // asked for after both had come
      await holder.verify();
      await holder.release();
      const next = await lock.acquire();
      expect(next.state).toBe(2);
      await next.release();
      await expect.poll(() => scene.register.ready()).toBe(1);
    },
  },
  {
    title:
      'state of another writer that is too large is a StateError for anybody who acquires, and is left as it is',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      const lock = baton.lock(scene.lock, { state: z.unknown() });
      await (await lock.acquire()).release();
      await expect.poll(() => scene.register.ready()).toBe(1);
      await scene.register.purge();
      const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
      const large = Buffer.from(written(scene, 5n, 1))
        .toString()
        .replace('"state":1', `"state":${deep}`);
      await scene.register.put(large);
      const error = await rejection(lock.acquire());
      expect(error.code).toBe('state');
      expect(error.message).toMatch(/must be at most 4096 bytes of JSON, got 40\d{3}/);
      await expect.poll(() => scene.register.ready()).toBe(1);
      await (await baton.lock(scene.lock).acquire({ timeoutMs: 5_000 })).release();
    },
  },
  {
    title: 'a register that is deleted under its holder ends the lease, and the next holder is minted',
    needs: [],
    concurrent: true,
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      const lease = await a.lock(scene.lock, COUNT).acquire();
      await lease.save(1);
      const loss = lossOf(lease);
      await scene.register.remove();
      expect((await loss).reason).toBe('consumer-cancelled');
      for (const baton of [b, a]) {
        const next = await baton.lock(scene.lock, COUNT).acquire({ timeoutMs: 10_000 });
        expect([next.state, next.minted]).toEqual([undefined, true]);
        await next.release();
      }
    },
  },
  {
    title:
      'a register that is deleted or purged while nobody holds is recreated, and the next holder is minted',
    needs: [],
    concurrent: true,
    async run(scene) {
      const baton = await scene.connect();
      const lock = baton.lock(scene.lock, COUNT);
      for (const destroy of ['remove', 'purge'] as const) {
        await (await lock.acquire()).release({ state: 1 });
        await expect.poll(() => scene.register.ready()).toBe(1);
        await scene.register[destroy]();
        const minted = await lock.acquire({ timeoutMs: 10_000 });
        expect([minted.state, minted.minted], destroy).toEqual([undefined, true]);
        await minted.save(2);
        await minted.release();
        const next = await lock.acquire();
        expect([next.state, next.minted], destroy).toEqual([2, false]);
        await next.release();
      }
    },
  },
  {
    title: 'a purge under a holder loses nothing',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      const lease = await baton.lock(scene.lock, COUNT).acquire();
      await lease.save(1);
      await scene.register.purge();
      await lease.release();
      const next = await baton.lock(scene.lock, COUNT).acquire();
      expect(next.state).toBe(1);
      await next.release();
    },
  },
  {
    title: 'deleting the lock’s queue costs the lease and not the state',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      const lease = await baton.lock(scene.lock, COUNT).acquire();
      await lease.save(1);
      const loss = lossOf(lease);
      await scene.queue.remove();
      await loss;
      const next = await baton.lock(scene.lock, COUNT).acquire({ timeoutMs: 10_000 });
      expect(next.fence).toBeGreaterThan(lease.fence);
      expect(next.state).toBe(1);
      await next.release();
    },
  },
  {
    title: 'a register that knows a higher fence than the token makes the lock start over above it',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      const lock = baton.lock(scene.lock, COUNT);
      const before = await lock.acquire();
      await before.release();
      await expect.poll(() => scene.register.ready()).toBe(1);
      await scene.register.purge();
      const ahead = before.fence + 2n ** 50n; // by a clock that was 13 days ahead
      await scene.register.put(written(scene, ahead, 5, 1));
      const lease = await lock.acquire({ timeoutMs: 20_000 });
      expect(lease.fence).toBeGreaterThan(ahead);
      expect(lease.state).toBe(5);
      await lease.release({ state: 6 });
      const next = await lock.acquire();
      expect(next.state).toBe(6);
      await next.release();
    },
  },
  {
    title:
      'an entry with the last fence of int64 is a foreign message: the lock is granted, and its token stays what it was',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      const lock = baton.lock(scene.lock, COUNT);
      const before = await lock.acquire();
      await before.release({ state: 1 });
      await scene.register.put(written(scene, INT64_MAX, 9, 1));
      for (let i = 0; i < 2; i += 1) {
        const lease = await lock.acquire({ timeoutMs: 10_000 });
        expect(lease.state).toBe(1);
        expect(lease.fence - before.fence, 'the same token').toBeLessThan(100n * BigInt(FENCES_PER_RETURN));
        await lease.release();
      }
      await (await baton.lock(scene.lock).acquire()).release();
    },
  },
  {
    title:
      'foreign messages in a register are acked and never taken for state; what a newer client wrote is left alone',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      const lock = baton.lock(scene.lock, COUNT);
      await (await lock.acquire()).release({ state: 1 });
      const foreign = { id: randomUUID(), fence: 2n ** 62n, seq: 1, state: 9 };
      const foreignMessages = [
        'junk',
        JSON.stringify({ v: 1, kind: 'state' }),
        encodeEntry(foreign, { name: 'another lock', by: 'x', at: 0 }),
      ];
      for (const foreign of foreignMessages) await scene.register.put(foreign);
      const lease = await lock.acquire();
      expect(lease.state).toBe(1);
      for (const foreign of foreignMessages) await scene.register.put(foreign);
      await lease.save(2);
      await lease.release();
      await expect.poll(() => scene.register.ready()).toBe(1);
      await scene.register.put(JSON.stringify({ v: 2, kind: 'state' }));
      const refused = await rejection(lock.acquire());
      expect(refused.code).toBe('token-version');
      await expect.poll(() => scene.register.ready()).toBe(2);
      await (await baton.lock(scene.lock).acquire({ timeoutMs: 5_000 })).release();
    },
  },
  {
    title: 'a lock without state asks nothing of a register, and a read publishes nothing',
    needs: ['frames'],
    async run(scene) {
      const baton = await scene.connect();
      const proxy = scene.proxy(baton);
      await (await baton.lock(scene.lock).acquire()).release();
      expect(proxy.sent('basic.consume')).toBe(1);
      const lock = baton.lock(scene.lock, COUNT);
      await (await lock.acquire()).release({ state: 1 });
      const before = ['basic.publish', 'queue.declare'].map((method) => proxy.sent(method));
      const lease = await lock.acquire();
      expect(lease.state).toBe(1);
      await lease.release();
      expect(['basic.publish', 'queue.declare'].map((method) => proxy.sent(method))).toEqual(before);
    },
  },
];

/** The in-memory broker, the only one that takes back, needs no more than a few turns to tell everybody. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i += 1) await turn();
}
