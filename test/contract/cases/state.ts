import { expect } from 'vitest';
import { z } from 'zod';
import type { Case } from '../contract.ts';
import type { Report } from '../programs/contender.ts';
import { lossOf, queueUp, rejection, stateOf, turn } from './tools.ts';

export const PROGRESS = { state: z.object({ cursor: z.number() }) };
const COUNT = { state: z.number() };

/** State that is handed over, kept and refused; what happens to its register is in register.ts. */
export const state: readonly Case[] = [
  {
    title: 'a new lock hands over nothing and is minted for every holder, until somebody saves',
    needs: [],
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      for (const baton of [a, b]) {
        const lease = await baton.lock(scene.lock, PROGRESS).acquire();
        expect([lease.state, lease.minted]).toEqual([undefined, true]);
        await lease.release();
      }
      const writer = await a.lock(scene.lock, PROGRESS).acquire();
      await writer.save({ cursor: 1 });
      expect([writer.state, writer.minted]).toEqual([{ cursor: 1 }, true]);
      await writer.release();
      const reader = await b.lock(scene.lock, PROGRESS).acquire();
      expect([reader.state, reader.minted]).toEqual([{ cursor: 1 }, false]);
      await reader.release();
    },
  },
  {
    title: 'state is handed from holder to holder, by save or with the release, and stays when nobody saves',
    needs: [],
    concurrent: true,
    async run(scene) {
      const batons = [await scene.connect(), await scene.connect()];
      for (let cursor = 1; cursor <= 10; cursor += 1) {
        const baton = batons[cursor % 2] ?? batons[0];
        const lease = await baton?.lock(scene.lock, PROGRESS).acquire();
        expect(lease?.state).toEqual(cursor === 1 ? undefined : { cursor: cursor - 1 });
        if (cursor % 3 === 0) {
          await lease?.save({ cursor: -1 });
          await lease?.save({ cursor });
          await lease?.release();
          await (await baton?.lock(scene.lock, PROGRESS).acquire())?.release();
        } else {
          await lease?.release({ state: { cursor } });
        }
      }
      await expect.poll(() => scene.register.ready()).toBe(1); // what is outdated was acked
    },
  },
  {
    title: 'no increment is lost when many contenders each add one to the state',
    needs: [],
    concurrent: true,
    async run(scene) {
      const batons = [await scene.connect(), await scene.connect()];
      const add = async (index: number) => {
        await batons[index % 2]?.lock(scene.lock, COUNT).run(async (lease) => {
          await lease.save((lease.state ?? 0) + 1);
        });
      };
      await Promise.all(Array.from({ length: 24 }, (_, index) => add(index)));
      const last = await batons[0]?.lock(scene.lock, COUNT).acquire();
      expect(last?.state).toBe(24);
      await last?.release();
    },
  },
  {
    title: 'concurrent saves of one holder count in the order of their calls',
    needs: [],
    concurrent: true,
    async run(scene) {
      const baton = await scene.connect();
      const lease = await baton.lock(scene.lock, COUNT).acquire();
      await Promise.all(Array.from({ length: 20 }, (_, index) => lease.save(index)));
      expect(lease.state).toBe(19);
      await lease.release();
      const next = await baton.lock(scene.lock, COUNT).acquire();
      expect(next.state).toBe(19);
      await next.release();
    },
  },
  {
    title: 'a confirmed save outlives the SIGKILL of its holder',
    needs: ['processes'],
    async run(scene) {
      const baton = await scene.connect();
      for (let value = 1; value <= 3; value += 1) {
        const program = await scene.process();
        await program.send({ do: 'acquire', lock: scene.lock, state: true });
        await program.next<Report>((report) => report.type === 'granted');
        await program.send({ do: 'save', value });
        await program.next<Report>((report) => report.type === 'saved');
        const { lease: waiting } = await queueUp(baton.lock(scene.lock, COUNT));
        program.signal('SIGKILL');
        const lease = await waiting;
        expect(lease.state).toBe(value);
        await lease.release();
      }
    },
  },
  {
    title: 'a confirmed save is never undone by connections that break in the middle of saving',
    needs: ['line'],
    concurrent: true,
    timeoutMs: 60_000,
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      let confirmed = 0;
      for (let round = 0; round < 6; round += 1) {
        const writer = round % 2 === 0 ? a : b;
        const lease = await writer.lock(scene.lock, COUNT).acquire();
        expect(lease.state ?? 0).toBeGreaterThanOrEqual(confirmed);
        const base = Math.max(confirmed, lease.state ?? 0);
        const broken = (async () => {
          for (let add = 1; ; add += 1) {
            await lease.save(base + add, { timeoutMs: 20_000 });
            confirmed = base + add;
            await turn(); // a broker in memory answers before any timer can run
          }
        })();
        await expect.poll(() => confirmed).toBeGreaterThan(base + 2);
        scene.line(writer).reset();
        expect((await rejection(broken)).code).toMatch(/lease-lost|broker-unreachable/);
      }
      const last = await b.lock(scene.lock, COUNT).acquire();
      expect(last.state).toBeGreaterThanOrEqual(confirmed);
      await last.release();
    },
  },
  {
    title: 'a broker restart keeps the state',
    needs: ['restart'],
    timeoutMs: 120_000,
    async run(scene) {
      const baton = await scene.connect();
      const lease = await baton.lock(scene.lock, PROGRESS).acquire();
      await lease.save({ cursor: 7 });
      const loss = lossOf(lease);
      const open = stateOf(baton, 'open');
      await scene.restart();
      await loss;
      await open;
      const next = await baton.lock(scene.lock, PROGRESS).acquire();
      expect([next.state, next.minted]).toEqual([{ cursor: 7 }, false]);
      await next.release();
    },
  },
  {
    title:
      'under a memory alarm the lock and its state are handed over as ever, and a save waits, with its own timeout',
    needs: ['alarm'],
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      await (await a.lock(scene.lock, PROGRESS).acquire()).release({ state: { cursor: 1 } });
      await scene.alarm(true);
      for (const baton of [a, b]) {
        const lease = await baton.lock(scene.lock, PROGRESS).acquire({ timeoutMs: 5_000 });
        expect(lease.state).toEqual({ cursor: 1 });
        await lease.release();
      }
      const lease = await b.lock(scene.lock, PROGRESS).acquire({ timeoutMs: 5_000 });
      const error = await rejection(lease.save({ cursor: 2 }, { timeoutMs: 200 }));
      expect(error.code).toBe('broker-unreachable');
      expect(error.message).toContain('200 ms');
      await lease.verify();
      const patient = lease.save({ cursor: 3 }, { timeoutMs: Number.POSITIVE_INFINITY });
      await scene.alarm(false);
      await patient;
      expect(lease.state).toEqual({ cursor: 3 });
      await lease.release();
      const next = await a.lock(scene.lock, PROGRESS).acquire();
      expect(next.state).toEqual({ cursor: 3 });
      await next.release();
    },
  },
  {
    title: 'a release whose save fails releases all the same, and says what failed',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      const lease = await baton.lock(scene.lock, PROGRESS).acquire();
      await lease.save({ cursor: 1 });
      const unfit = { cursor: 'x' } as unknown as { cursor: number };
      expect((await rejection(lease.release({ state: unfit }))).code).toBe('state');
      expect((await rejection(lease.release({ state: { cursor: 2 } }))).code).toBe('closed');
      const next = await baton.lock(scene.lock, PROGRESS).acquire({ timeoutMs: 5_000 });
      expect(next.state).toEqual({ cursor: 1 });
      await next.release();
    },
  },
  {
    title: 'what is no JSON, too large or of another shape is refused before anything is sent',
    needs: [],
    async run(scene) {
      const baton = await scene.connect();
      const anything = { state: z.looseObject({}) };
      const lease = await baton.lock(scene.lock, anything).acquire();
      const circle: Record<string, unknown> = {};
      circle.self = circle;
      const large = { text: 'ü'.repeat(2_044) }; // {"text":""} is 11 bytes, and each of these is two
      const problems = [];
      for (const value of [circle, { n: 1n }, large]) problems.push(await rejection(lease.save(value)));
      expect(problems.map(({ code }) => code)).toEqual(['state', 'state', 'state']);
      expect(problems[2]?.message).toContain('at most 4096 bytes of JSON, got 4099');
      await lease.save({ text: `${'ü'.repeat(2_042)}x` }); // 4096 bytes
      await lease.release();
      const dated = baton.lock(`${scene.lock}/dated`, { state: z.object({ at: z.date() }) });
      const error = await rejection(dated.run((held) => held.save({ at: new Date() })));
      expect(error).toMatchObject({ code: 'state', problems: [expect.stringMatching(/^at: /)] });
      const plain = await rejection(baton.lock(`${scene.lock}/plain`).run((held) => held.save(undefined)));
      expect(plain.code).toBe('state');
      await scene.forget([`${scene.lock}/dated`, `${scene.lock}/plain`]);
    },
  },
  {
    title: 'state of another shape is a StateError for anybody who acquires, and the lock is given back',
    needs: [],
    async run(scene) {
      const [a, b] = [await scene.connect(), await scene.connect()];
      await (await a.lock(scene.lock, PROGRESS).acquire()).release({ state: { cursor: 1 } });
      const other = { state: z.object({ page: z.string() }) };
      const error = await rejection(b.lock(scene.lock, other).acquire());
      expect(error).toMatchObject({ code: 'state', problems: [expect.stringMatching(/^page: /)] });
      const lease = await a.lock(scene.lock, PROGRESS).acquire({ timeoutMs: 5_000 });
      expect(lease.state).toEqual({ cursor: 1 });
      await lease.release();
    },
  },
];
