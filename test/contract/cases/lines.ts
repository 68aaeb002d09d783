import { expect } from 'vitest';
import type { Case } from '../contract.ts';
import { lossOf, queueUp, rejection, SHORT, stallMeter, stateOf } from './tools.ts';

export const lines: readonly Case[] = [
  {
    title: 'a frozen line aborts the lease before the rival is granted',
    needs: ['line'],
    concurrent: true,
    async run(scene) {
      const [a, b] = [await scene.connect(SHORT), await scene.connect(SHORT)];
      const held = await a.lock(scene.lock).acquire();
      const { lease: rival } = await queueUp(b.lock(scene.lock));
      const granted = rival.then(async (lease) => {
        expect(held.signal.aborted, 'the first holder was told').toBe(true);
        expect(lease.fence).toBeGreaterThan(held.fence);
        await lease.release();
      });
      const loss = lossOf(held);
      const stalledMs = stallMeter();
      const frozenAt = performance.now();
      scene.line(a).freeze();
      const { reason, at } = await loss;
      expect(reason).toBe('verification-timeout');
      // leaseMs after the sending of the last proof, or as soon as the process runs again; timers are not punctual.
      expect(at - frozenAt).toBeLessThan(SHORT.leaseMs + 50 + stalledMs());
      await granted;
    },
  },
  {
    title: 'a lease counts from the sending of its proof, not from a late answer',
    needs: ['line'],
    async run(scene) {
      const baton = await scene.connect({ leaseMs: 10_000 });
      const lease = await baton.lock(scene.lock).acquire();
      await lease.verify(); // now nothing is under way
      scene.line(baton).freeze();
      const sentAt = performance.now();
      let isAnswered = false;
      const verification = lease.verify().then(() => {
        isAnswered = true;
      });
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(isAnswered).toBe(false);
      scene.line(baton).thaw();
      await verification;
      const spent = performance.now() - sentAt;
      expect(spent).toBeGreaterThan(400);
      expect(lease.remainingMs).toBeLessThan(10_000 - spent + 5); // the clocks were not read at the same instant
      await lease.release();
    },
  },
  {
    title: 'frames that were stuck in a frozen line free nobody else’s lock when they arrive late',
    needs: ['line'],
    async run(scene) {
      const [a, b] = [await scene.connect(SHORT), await scene.connect(SHORT)];
      const held = await a.lock(scene.lock).acquire();
      const { lease: rival } = await queueUp(b.lock(scene.lock));
      scene.line(a).freeze();
      await lossOf(held);
      await held.release();
      const next = await rival;
      scene.line(a).thaw();
      for (let i = 0; i < 5; i += 1) await next.verify();
      await (await queueAfter(next, a.lock(scene.lock))).release();
    },
  },
  {
    title: 'a timeout or an abort settles within a second on a frozen line, and so does a try',
    needs: ['line'],
    async run(scene) {
      const baton = await scene.connect({ heartbeatMs: 10_000 });
      const lock = baton.lock(scene.lock);
      await (await lock.acquire()).release();
      scene.line(baton).freeze();
      const started = performance.now();
      expect((await rejection(lock.acquire({ timeoutMs: 300 }))).code).toBe('acquire-timeout');
      await expect(lock.acquire({ signal: AbortSignal.timeout(300) })).rejects.toThrow();
      expect(performance.now() - started).toBeLessThan(1_600);
      const tried = performance.now();
      expect((await rejection(lock.tryAcquire())).code).toBe('broker-unreachable');
      expect(performance.now() - tried).toBeLessThan(1_500);
    },
  },
  {
    title: 'a broken connection loses held leases with a reason, and waiters join again by themselves',
    needs: ['line'],
    concurrent: true,
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      const held = await a.lock(scene.lock).acquire();
      const elsewhere = await b.lock(`${scene.lock}/b`).acquire();
      const { lease: waiting } = await queueUp(b.lock(scene.lock));
      const [lossB, again] = [lossOf(elsewhere), stateOf(b, 'open')];
      scene.line(b).reset();
      expect((await lossB).reason).toBe('connection-closed');
      await again;
      await held.verify(); // nobody else's business
      await held.release();
      await (await waiting).release();
      await scene.forget([`${scene.lock}/b`]);
    },
  },
  {
    title: 'what is asked for while there is no connection is done when there is one again',
    needs: ['line'],
    async run(scene) {
      const baton = await scene.connect();
      scene.line(baton).reset();
      const leases = await Promise.all(
        [1, 2, 3].map((i) => baton.lock(`${scene.lock}/${i}`).acquire({ timeoutMs: 10_000 })),
      );
      await Promise.all(leases.map((lease) => lease.release()));
      await scene.forget([1, 2, 3].map((i) => `${scene.lock}/${i}`));
    },
  },
  {
    title: 'if only the release fails, run returns the result within its bound',
    needs: ['line'],
    async run(scene) {
      const warnings: string[] = [];
      const warn = (_fields: object, message: string) => void warnings.push(message);
      const logger = { debug() {}, info() {}, warn, error() {} };
      const baton = await scene.connect({ logger });
      const started = performance.now();
      const result = await baton.lock(scene.lock).run(() => {
        scene.line(baton).freeze();
        return 'done';
      });
      expect(result).toBe('done');
      expect(warnings).toContain('release failed');
      expect(performance.now() - started).toBeLessThan(7_000);
    },
  },
  {
    title: 'close is bounded on a frozen line, with a holder and a waiter, and leaves nothing behind',
    needs: ['line'],
    async run(scene) {
      const baton = await scene.connect();
      const held = await baton.lock(scene.lock).acquire();
      const { lease } = await queueUp(baton.lock(scene.lock));
      const refused = rejection(lease);
      scene.line(baton).freeze();
      const started = performance.now();
      await baton.close({ drainMs: 100 });
      expect(performance.now() - started).toBeLessThan(3_000);
      expect(held.signal.reason).toMatchObject({ reason: 'coordinator-closed' });
      expect((await refused).code).toBe('closed');
    },
  },
  {
    title: 'a verified grant is not taken in by a delivery that was stuck in a frozen line',
    needs: ['line'],
    concurrent: true,
    async run(scene) {
      // The line of a waiter freezes with the grant on its way; the broker gives up on it and grants the next.
      const [a, b] = [await scene.connect(SHORT), await scene.connect({ ...SHORT, grant: 'verified' })];
      const held = await a.lock(scene.lock).acquire();
      const frozen = await queueUp(b.lock(scene.lock));
      const next = await queueUp(a.lock(scene.lock));
      scene.line(b).freeze();
      await held.release(); // the token goes to b, whose line is dead
      const lease = await next.lease; // until the broker notices
      const section = { a: true, b: false };
      const second = frozen.lease.then(async (late) => {
        section.b = true;
        expect(section.a, 'a has released').toBe(false);
        expect(late.fence).toBeGreaterThan(lease.fence);
        await late.release();
      });
      scene.line(b).thaw();
      for (let i = 0; i < 5; i += 1) await lease.verify();
      section.a = false;
      await lease.release();
      await second;
    },
  },
];

async function queueAfter(holder: { release(): Promise<void> }, lock: Parameters<typeof queueUp>[0]) {
  const { lease } = await queueUp(lock);
  await holder.release();
  return lease;
}
