import { expect } from 'vitest';
import type { Case } from '../contract.ts';
import type { Report } from '../programs/contender.ts';
import { lossOf, queueUp, rejection, SHORT, stateOf } from './tools.ts';

export const faults: readonly Case[] = [
  {
    title: 'a memory alarm stalls nothing: acquire, verification and release go on at normal speed',
    needs: ['alarm'],
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      await (await a.lock(scene.lock).acquire()).release(); // the lock exists before the alarm
      await scene.alarm(true);
      // Somebody makes a new lock meanwhile: that publishes, so it waits, and must not take the others along.
      const fresh = rejection(a.lock(`${scene.lock}/new`).acquire({ timeoutMs: 3_000 }));
      const started = performance.now();
      for (let i = 0; i < 25; i += 1) {
        for (const baton of [a, b]) {
          const lease = await baton.lock(scene.lock).acquire({ timeoutMs: 2_000 });
          await lease.verify();
          await lease.release();
          expect(await baton.lock(scene.lock).tryRun(() => 'ran')).toBe('ran');
        }
      }
      // Not a measurement: an alarm lasts until somebody ends it, so anything it stalls takes without end.
      expect(performance.now() - started).toBeLessThan(15_000);
      expect((await fresh).code).toBe('acquire-timeout');
      await scene.alarm(false);
      await (await a.lock(`${scene.lock}/new`).acquire({ timeoutMs: 10_000 })).release();
      await scene.forget([`${scene.lock}/new`]);
    },
  },
  {
    title:
      'a broker restart while the lock is held and waited for loses the lease, keeps the token, and waiters are granted',
    needs: ['restart'],
    timeoutMs: 120_000,
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      const held = await a.lock(scene.lock).acquire();
      const { lease: waiting } = await queueUp(b.lock(scene.lock));
      const loss = lossOf(held);
      const open = stateOf(a, 'open');
      await scene.restart();
      expect((await loss).reason).toBe('connection-closed');
      const next = await waiting;
      expect(next.fence).toBeGreaterThan(held.fence);
      await next.release();
      await open;
      await (await a.lock(scene.lock).acquire({ timeoutMs: 10_000 })).release();
    },
  },
  {
    title: 'SIGKILL of a holder process grants the next waiter within 1 s',
    needs: ['processes'],
    async run(scene) {
      const program = await scene.process();
      const baton = await scene.connect();
      await program.send({ do: 'acquire', lock: scene.lock });
      const granted = await program.next<Report & { type: 'granted' }>((report) => report.type === 'granted');
      const { lease: waiting } = await queueUp(baton.lock(scene.lock));
      const killedAt = performance.now();
      program.signal('SIGKILL');
      const lease = await waiting;
      expect(performance.now() - killedAt).toBeLessThan(1_000);
      expect(lease.fence).toBeGreaterThan(BigInt(granted.fence));
      await lease.release();
    },
  },
  {
    title:
      'a holder stopped for longer than its lease throws from throwIfLost at once on waking, and its release frees nobody else’s lock',
    needs: ['processes'],
    async run(scene) {
      const program = await scene.process(SHORT);
      const baton = await scene.connect();
      await program.send({ do: 'acquire', lock: scene.lock });
      await program.next<Report>((report) => report.type === 'granted');
      const { lease: waiting } = await queueUp(baton.lock(scene.lock));
      program.stop();
      const lease = await waiting; // within three heartbeats the broker gives up on the stopped one
      await program.send({ do: 'check' });
      program.cont();
      const checked = await program.next<Report & { type: 'checked' }>((report) => report.type === 'checked');
      expect(checked.threw).toBe('lease-lost');
      await program.send({ do: 'release' });
      await program.next<Report>((report) => report.type === 'released');
      for (let i = 0; i < 5; i += 1) await lease.verify();
      await lease.release();
    },
  },
  {
    title: 'a waiter that was stopped while the token came to it does not take the old delivery for a grant',
    needs: ['processes'],
    timeoutMs: 40_000,
    async run(scene) {
      const program = await scene.process({ ...SHORT, grant: 'immediate' });
      const baton = await scene.connect();
      // What continues may end its connection for a late heartbeat before it reads the delivery: not three times in a row.
      for (let round = 0; round < 3; round += 1) {
        const held = await baton.lock(scene.lock).acquire();
        await program.send({ do: 'acquire', lock: scene.lock });
        await program.next<Report>((report) => report.type === 'waiting');
        const { lease: next } = await queueUp(baton.lock(scene.lock));
        program.stop();
        await held.release(); // the token goes to the stopped one, and lies in its socket
        const lease = await next; // until the broker gives up on it
        program.cont();
        await program.next<Report>((report) => report.type === 'waiting'); // it is in line again, behind
        await lease.verify();
        await lease.release();
        const late = await program.next<Report & { type: 'granted' }>((report) => report.type === 'granted');
        expect(BigInt(late.fence)).toBeGreaterThan(lease.fence);
        await program.send({ do: 'release' });
        await program.next<Report>((report) => report.type === 'released');
      }
    },
  },
];
