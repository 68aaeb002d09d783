import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Coordinator, Lease, Lock } from '../../../src/index.ts';
import type { Case } from '../contract.ts';
import { asked, expectRising, lossOf, queueUp, rejection, Section } from './tools.ts';

/** Whatever the broker's version, nothing is asked of it between two local hand-offs. */
const IMMEDIATE = { grant: 'immediate' } as const;

/** Waiters in line, first come first. */
async function lineUp(lock: Lock, count: number): Promise<Promise<Lease>[]> {
  const leases: Promise<Lease>[] = [];
  for (let i = 0; i < count; i += 1) leases.push((await queueUp(lock)).lease);
  return leases;
}

/** Who was granted, in order: each releases at once. */
function order(leases: readonly (readonly [string, Promise<Lease>])[]): Promise<string[]> {
  const seen: string[] = [];
  const all = leases.map(async ([who, granted]) => {
    const lease = await granted;
    seen.push(who);
    await lease.release();
  });
  return Promise.all(all).then(() => seen);
}

export const localBatch: readonly Case[] = [
  {
    title:
      'localBatch calls of one process are served in a row, in their order, and then it is the next one’s turn',
    needs: [],
    concurrent: true,
    async run(scene) {
      const [a, b] = [await scene.connect({ localBatch: 3 }), await scene.connect()];
      const first = await a.lock(scene.lock).acquire();
      const early = await lineUp(a.lock(scene.lock), 2);
      const { lease: other } = await queueUp(b.lock(scene.lock));
      const late = await lineUp(a.lock(scene.lock), 3);
      const granted = order([
        ...early.map((lease, i) => [`early ${i}`, lease] as const),
        ['other', other],
        ...late.map((lease, i) => [`late ${i}`, lease] as const),
      ]);
      await first.release();
      expect(await granted).toEqual(['early 0', 'early 1', 'other', 'late 0', 'late 1', 'late 2']);
    },
  },
  {
    title: 'without localBatch a process hands nothing over inside',
    needs: [],
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      const first = await a.lock(scene.lock).acquire();
      const { lease: other } = await queueUp(b.lock(scene.lock));
      const { lease: own } = await queueUp(a.lock(scene.lock));
      const granted = order([
        ['own', own],
        ['other', other],
      ]);
      await first.release();
      expect(await granted).toEqual(['other', 'own']);
    },
  },
  {
    title: 'eight callers in each of three coordinators with localBatch never overlap, and their fences rise',
    needs: [],
    concurrent: true,
    async run(scene) {
      const batons: Coordinator[] = [];
      for (const grant of ['auto', 'immediate', 'verified'] as const)
        batons.push(await scene.connect({ localBatch: 5, grant }));
      const section = new Section();
      const caller = async (baton: Coordinator) => {
        for (let round = 0; round < 8; round += 1)
          await baton.lock(scene.lock).run((lease) => section.pass(lease, () => pause(round % 2)));
      };
      await Promise.all(batons.flatMap((baton) => Array.from({ length: 8 }, () => caller(baton))));
      expect(section.entered).toBe(8 * 8 * 3);
      expectRising(section.fences);
    },
  },
  {
    title: 'a lease that was handed over inside is over at once, and its late release frees nobody',
    needs: [],
    async run(scene) {
      const baton = await scene.connect({ localBatch: 10, ...IMMEDIATE });
      const first = await baton.lock(scene.lock).acquire();
      const [second, third] = await lineUp(baton.lock(scene.lock), 2);
      await first.release();
      const lease = await second;
      expect(() => first.throwIfLost()).toThrow(expect.objectContaining({ code: 'closed' }));
      expect(first.remainingMs).toBe(0);
      expect(first.signal.aborted).toBe(false);
      await first.release();
      await lease?.verify();
      expect(lease?.remainingMs).toBeGreaterThan(0);
      await lease?.release();
      await (await third)?.release();
    },
  },
  {
    title:
      'a holder that dies after local hand-offs leaves the next one a higher fence, and its waiters come back',
    needs: ['line'],
    concurrent: true,
    async run(scene) {
      const [a, b] = [await scene.connect({ localBatch: 100, ...IMMEDIATE }), await scene.connect()];
      const fences: bigint[] = [];
      for (let round = 0; round < 3; round += 1) {
        const waiting = await lineUp(a.lock(scene.lock), 6);
        const { lease: other } = await queueUp(b.lock(scene.lock));
        for (const granted of waiting.slice(0, 3)) {
          const lease = await granted;
          fences.push(lease.fence);
          await lease.release();
        }
        const last = await waiting[3];
        const loss = last && lossOf(last);
        scene.line(a).reset();
        expect(await loss).toMatchObject({ reason: 'connection-closed' });
        fences.push(last?.fence ?? 0n);
        const next = await other;
        fences.push(next.fence);
        await next.release();
        for (const granted of waiting.slice(4)) {
          const lease = await granted;
          fences.push(lease.fence);
          await lease.release();
        }
      }
      expectRising(fences);
    },
  },
  {
    title:
      'a deletion ends the hold of anybody who has it now, and the local waiters are granted the new lock',
    needs: [],
    concurrent: true,
    async run(scene) {
      const baton = await scene.connect({ localBatch: 10, ...IMMEDIATE });
      const first = await baton.lock(scene.lock).acquire();
      const [second, third] = await lineUp(baton.lock(scene.lock), 2);
      await first.release();
      const lease = await second;
      const loss = lease && lossOf(lease);
      await scene.queue.remove();
      expect(await loss).toMatchObject({ reason: 'queue-deleted' });
      const last = await third;
      expectRising([first.fence, lease?.fence ?? 0n, last?.fence ?? 0n]);
      await last?.release();
    },
  },
  {
    title: 'timeouts and aborts of local waiters leave the others their places',
    needs: [],
    async run(scene) {
      const baton = await scene.connect({ localBatch: 10 });
      const lock = baton.lock(scene.lock);
      const first = await lock.acquire();
      const abort = new AbortController();
      const aborted = rejection(lock.acquire({ signal: abort.signal }));
      const { lease: patient } = await queueUp(lock);
      const late = await rejection(lock.acquire({ timeoutMs: 50 }));
      expect(late.code).toBe('acquire-timeout');
      expect(late.message).toContain('this process itself holds it');
      abort.abort(new Error('enough'));
      expect((await aborted).message).toBe('enough');
      expect(await lock.tryAcquire()).toBeUndefined();
      await first.release();
      await (await patient).release();
      // No acquirer is left in the group: it must not keep the token.
      const elsewhere = await scene.connect();
      await (await elsewhere.lock(scene.lock).acquire({ timeoutMs: 5_000 })).release();
    },
  },
  {
    title: 'the only waiter of a seat that gives up takes its place in line with it',
    needs: [],
    async run(scene) {
      const [a, b] = [await scene.connect({ localBatch: 10 }), await scene.connect()];
      const held = await b.lock(scene.lock).acquire();
      const { lease: other } = await (async () => {
        const late = rejection(a.lock(scene.lock).acquire({ timeoutMs: 100 }));
        expect((await late).code).toBe('acquire-timeout');
        return queueUp(a.lock(scene.lock));
      })();
      await held.release();
      await (await other).release();
    },
  },
  {
    title: 'closing ends the waits of local callers at once, and lets the holder finish',
    needs: [],
    async run(scene) {
      const baton = await scene.connect({ localBatch: 10 });
      const lease = await baton.lock(scene.lock).acquire();
      const [waiting] = await lineUp(baton.lock(scene.lock), 1);
      const closing = baton.close({ drainMs: 10_000 });
      expect(waiting && (await rejection(waiting)).code).toBe('closed');
      await lease.verify();
      await lease.release();
      await closing;
    },
  },
  {
    title: 'a grant that is to be verified needs a proof of the last 20 ms at a local hand-off too',
    needs: ['frames'],
    async run(scene) {
      const baton = await scene.connect({ localBatch: 10, grant: 'verified' });
      const first = await baton.lock(scene.lock).acquire();
      const waiting = await lineUp(baton.lock(scene.lock), 3);
      let questions = asked(scene, baton);
      await pause(25);
      await first.release();
      for (const granted of waiting) {
        const lease = await granted;
        questions += 1;
        expect(asked(scene, baton)).toBe(questions);
        await pause(25);
        await lease.release();
      }
    },
  },
  {
    title: 'an immediate local hand-off puts no frame on the wire',
    needs: ['frames'],
    async run(scene) {
      const baton = await scene.connect({ localBatch: 10, ...IMMEDIATE });
      const first = await baton.lock(scene.lock).acquire();
      await first.verify();
      const waiting = await lineUp(baton.lock(scene.lock), 3);
      const sent = () => scene.proxy(baton).connections.flatMap((connection) => connection.sent).length;
      const before = sent();
      await first.release();
      await (await waiting[0])?.release();
      const second = await waiting[1];
      expect(sent()).toBe(before);
      await second?.release();
      await (await waiting[2])?.release();
    },
  },
];
