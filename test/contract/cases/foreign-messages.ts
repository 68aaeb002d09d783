import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { Coordinator } from '../../../src/index.ts';
import { FENCES_PER_RETURN } from '../../../src/protocol/fence.ts';
import type { Case, Scene } from '../contract.ts';
import { expectRising, inLine, lossOf, queueUp, rejection, SHORT } from './tools.ts';

const token = (name: string, base: bigint, at = Date.now()) =>
  JSON.stringify({
    v: 1,
    kind: 'token',
    id: randomUUID(),
    name,
    base: String(base),
    by: 'foreign message',
    at,
  });

function foreignMessagesOf(scene: Scene, fence: bigint): Record<string, string> {
  return {
    'a second seed': token(scene.lock, fence + 1_000n),
    'a second seed with a lower base': token(scene.lock, fence - 1_000_000n),
    'a probe': JSON.stringify({
      v: 1,
      kind: 'probe',
      id: randomUUID(),
      name: scene.lock,
      by: 'foreign message',
      at: Date.now(),
    }),
    'an old token': token(scene.lock, fence - 1_000_000n, Date.now() - 120_000),
    'a token of another lock': token(`${scene.lock}-other`, fence + 1_000n),
    junk: '\u0000not even JSON',
    'a token without a base': JSON.stringify({ v: 1, kind: 'token', id: randomUUID(), name: scene.lock }),
  };
}

const FOREIGN_MESSAGES = Object.keys(foreignMessagesOf({ lock: 'x' } as Scene, 0n));

/** Two clients that look after a second whether there is a token. */
async function twoHealers(scene: Scene): Promise<[Coordinator, Coordinator]> {
  return [await scene.connect({ healAfterMs: 1_000 }), await scene.connect({ healAfterMs: 1_000 })];
}

export const foreignMessages: readonly Case[] = [
  ...FOREIGN_MESSAGES.map(
    (kind): Case => ({
      title: `${kind} behind the token is never granted, and after a purge fences still rise`,
      needs: [],
      timeoutMs: 60_000,
      async run(scene) {
        const [a, b] = await twoHealers(scene);
        const held = await a.lock(scene.lock).acquire();
        const foreign = foreignMessagesOf(scene, held.fence)[kind] ?? expect.fail(kind);
        await scene.queue.put(foreign);
        const seen = [held.fence];
        await held.verify();
        await held.release();
        for (let i = 0; i < 4; i += 1) {
          const lease = await (i % 2 === 0 ? b : a).lock(scene.lock).acquire({ timeoutMs: 10_000 });
          const rise = lease.fence - (seen.at(-1) ?? 0n);
          expect(rise, 'the same token, a few returns on').toBeLessThan(20n * BigInt(FENCES_PER_RETURN));
          seen.push(lease.fence);
          await lease.verify();
          await lease.release();
        }
        // Now the live token goes, and the foreign message is alone at the head.
        await scene.queue.purge();
        await scene.queue.put(foreign);
        const [x, y] = await Promise.all(
          [a, b].map(async (baton) => {
            const lease = await baton.lock(scene.lock).acquire({ timeoutMs: 30_000 });
            await lease.verify();
            await lease.release();
            return lease.fence;
          }),
        );
        const after = [x ?? 0n, y ?? 0n].sort((p, q) => (p < q ? -1 : 1));
        expectRising([...seen, ...after]);
      },
    }),
  ),
  {
    title: 'hundreds of foreign messages in front of a lock cost no more than twenty looks and a purge',
    needs: ['frames'],
    timeoutMs: 120_000,
    async run(scene) {
      const baton = await scene.connect({ healAfterMs: 60_000 }); // no look but those of the contender
      await (await baton.lock(scene.lock).acquire()).release();
      await expect.poll(() => scene.queue.ready()).toBe(1);
      await scene.queue.purge();
      for (let i = 0; i < 300; i += 1) await scene.queue.put('{"not":"ours"}');
      const looks = () => scene.proxy(baton).sent('queue.declare');
      const before = looks();
      const lease = await baton.lock(scene.lock).acquire();
      expect(looks() - before).toBeLessThanOrEqual(20);
      expect(scene.proxy(baton).sent('queue.purge')).toBe(1);
      await lease.verify();
      expect(await scene.queue.ready()).toBe(0);
      await lease.release();
    },
  },
  {
    title: 'a token of a newer version is given back untouched, with a clear error',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      await scene.connect().then(async (other) => (await other.lock(scene.lock).acquire()).release());
      await scene.queue.purge();
      await scene.queue.put(JSON.stringify({ v: 2, kind: 'token', something: 'else' }));
      const error = await rejection(baton.lock(scene.lock).acquire({ timeoutMs: 10_000 }));
      expect(error.code).toBe('token-version');
      expect(error.message).toMatch(/version 2.*Upgrade/);
      await expect.poll(() => scene.queue.ready(), { timeout: 5_000 }).toBe(1);
    },
  },
  {
    title:
      'a holder whose token was handed on untold finds out with its next verification, though the token came back',
    needs: ['take-back'],
    concurrent: true,
    async run(scene) {
      const [a, b] = [await scene.connect(SHORT), await scene.connect(SHORT)];
      const held = await a.lock(scene.lock).acquire();
      await held.verify();
      const { lease: rival } = await queueUp(b.lock(scene.lock));
      const loss = lossOf(held);
      scene.takeBack();
      await (await rival).release(); // the token comes back to the old holder's consumer
      expect((await loss).reason).toBe('superseded');
      await (await b.lock(scene.lock).acquire({ timeoutMs: 5_000 })).release();
    },
  },
  {
    title: 'a token that was handed on while a verification was under way, and came back, is no proof',
    needs: ['take-back'],
    concurrent: true,
    async run(scene) {
      const [a, b] = [await scene.connect(SHORT), await scene.connect(SHORT)];
      const held = await a.lock(scene.lock).acquire();
      await held.verify();
      const { lease: rival } = await queueUp(b.lock(scene.lock));
      const verification = rejection(held.verify());
      scene.takeBack(); // before the broker has read the question
      await (await rival).release(); // the token comes back to the old holder's consumer, and looks like the answer
      expect(await verification).toMatchObject({ code: 'lease-lost', reason: 'superseded' });
      await (await b.lock(scene.lock).acquire({ timeoutMs: 5_000 })).release();
    },
  },
  {
    title: 'another token whose count happens to be one higher is no proof',
    needs: ['take-back'],
    async run(scene) {
      const baton = await scene.connect();
      // How often the token has been returned by then is the client's business: one of these counts is one higher.
      for (const returns of [1, 2, 3, 4, 5]) {
        const held = await baton.lock(scene.lock).acquire();
        await held.verify();
        await scene.queue.put(token(scene.lock, held.fence + 1_000n), { returns });
        scene.destroyToken();
        const outcome = await rejection(held.verify());
        expect(outcome, `returned ${returns} times`).toMatchObject({
          code: 'lease-lost',
          reason: 'superseded',
        });
        await scene.queue.remove();
      }
    },
  },
  {
    title: 'a token that its return destroyed is replaced while others wait',
    needs: ['take-back'],
    async run(scene) {
      const [a, b] = [await scene.connect({ healAfterMs: 400 }), await scene.connect({ healAfterMs: 400 })];
      const held = await a.lock(scene.lock).acquire();
      const [x, y] = [await queueUp(a.lock(scene.lock)), await queueUp(b.lock(scene.lock))];
      scene.destroyToken();
      await held.release();
      const first = await Promise.race([x.lease, y.lease]);
      await first.release();
      const fences = (await Promise.all([x.lease, y.lease])).map(({ fence }) => fence);
      await Promise.all([x.lease, y.lease].map(async (lease) => (await lease).release()));
      for (const fence of fences) expect(fence).toBeGreaterThan(held.fence);
    },
  },
  {
    title: 'who starts over deletes nothing: nobody in line is sent back, and all are granted in their order',
    needs: [],
    concurrent: true,
    timeoutMs: 30_000,
    async run(scene) {
      const [a, b] = await twoHealers(scene);
      const before = await a.lock(scene.lock).acquire();
      await before.release();
      await expect.poll(() => scene.queue.ready(), { timeout: 5_000 }).toBeGreaterThan(0);
      await scene.queue.purge();
      await scene.queue.put('not a token');
      const line = [];
      for (const baton of [a, b, a, b]) line.push(await queueUp(baton.lock(scene.lock)));
      let again = false;
      void inLine(scene.lock).then(() => {
        again = true;
      });
      const fences = [before.fence];
      for (const { lease } of line) {
        const held = await lease;
        fences.push(held.fence);
        await held.verify();
        await held.release();
      }
      expectRising(fences);
      expect(again, 'somebody had to take a place a second time').toBe(false);
    },
  },
];
