import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { connect } from '../../../src/index.ts';
import { lockQueueArguments } from '../../../src/protocol/queues.ts';
import type { Case, Scene } from '../contract.ts';
import { rejection } from './tools.ts';

interface Rights {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/** What docs/guarantees.md and the README name. */
const DOCUMENTED: Rights = {
  configure: '^baton\\.',
  write: '^amq\\.default$',
  read: '^baton\\.',
};
const NOTHING = '^$';

async function connectAs(scene: Scene, rights: Rights) {
  const user = `user-${randomUUID()}`;
  await scene.control.addUser(user, 'secret-of-the-user', rights);
  scene.onEnd(() => scene.control.ctl('delete_user', user));
  const url = new URL(scene.url);
  url.username = user;
  url.password = 'secret-of-the-user';
  const baton = await connect(url.href, { healAfterMs: 1_000 });
  scene.onEnd(() => baton.close({ drainMs: 0 }));
  return baton;
}

export const administration: readonly Case[] = [
  {
    title:
      'a user with exactly the documented permissions can make, hold, verify, release, lose and heal a lock',
    needs: ['administration'],
    timeoutMs: 60_000,
    async run(scene) {
      const baton = await connectAs(scene, DOCUMENTED);
      const lock = baton.lock(scene.lock);
      const lease = await lock.acquire();
      await lease.verify();
      expect(await lock.tryAcquire()).toBeUndefined();
      await lease.release();
      await scene.queue.purge();
      const healed = await lock.acquire({ timeoutMs: 20_000 }); // by a probe, and a deletion
      expect(healed.fence).toBeGreaterThan(lease.fence);
      await healed.release();
    },
  },
  {
    title:
      'a user who may only read can hold and release what exists, and is told what is missing to make one',
    needs: ['administration'],
    async run(scene) {
      await (await (await scene.connect()).lock(scene.lock).acquire()).release();
      const baton = await connectAs(scene, { configure: NOTHING, write: NOTHING, read: '^baton\\.' });
      const lease = await baton.lock(scene.lock).acquire({ timeoutMs: 10_000 });
      await lease.verify();
      expect(await baton.lock(scene.lock).tryAcquire()).toBeUndefined();
      await lease.release();
      await (await baton.lock(scene.lock).tryAcquire())?.release();
      const error = await rejection(baton.lock(`${scene.lock}/new`).acquire({ timeoutMs: 10_000 }));
      expect(error.code).toBe('access-refused');
      expect(error.message).toMatch(/configure/);
    },
  },
  {
    title: 'a missing permission is named: configure, write or read',
    needs: ['administration'],
    async run(scene) {
      const missing: readonly [keyof Rights, RegExp][] = [
        ['configure', /configure/],
        ['write', /write.*amq\.default|amq\.default.*write/s],
        ['read', /read/],
      ];
      for (const [right, named] of missing) {
        const baton = await connectAs(scene, { ...DOCUMENTED, [right]: NOTHING });
        const name = `${scene.lock}/${right}`;
        const error = await rejection(baton.lock(name).acquire({ timeoutMs: 10_000 }));
        expect(error.code, right).toBe('access-refused');
        expect(error.message).toMatch(named);
        expect(error.message).not.toContain('secret-of-the-user');
        await scene.forget([name]);
      }
    },
  },
  {
    title:
      'wrong credentials and a missing virtual host fail connect with a clear error and no password in it',
    needs: ['administration'],
    async run(scene) {
      const wrong = new URL(scene.url);
      wrong.password = 'not-the-password';
      const refused = await rejection(connect(wrong.href));
      expect(refused.code).toBe('access-refused');
      const nowhere = new URL(scene.url);
      nowhere.pathname = '/no-such-vhost';
      const missing = await rejection(connect(nowhere.href));
      expect(missing.code).toBe('access-refused');
      expect(missing.message).toContain('no-such-vhost');
      for (const error of [refused, missing]) {
        expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('not-the-password');
      }
    },
  },
  {
    title:
      'a foreign queue or other arguments under that name are a clear error, and the queue is left alone',
    needs: ['administration'],
    async run(scene) {
      const foreign: Record<string, Record<string, unknown>> = {
        classic: { 'x-queue-type': 'classic' },
        'without single active consumer': { 'x-queue-type': 'quorum' },
        'with another delivery limit': { ...lockQueueArguments(), 'x-delivery-limit': 20 },
      };
      for (const [kind, args] of Object.entries(foreign)) {
        await scene.declareQueue(args);
        const baton = await scene.connect();
        const error = await rejection(baton.lock(scene.lock).acquire({ timeoutMs: 10_000 }));
        expect(error.code, kind).toBe('queue-mismatch');
        expect(error.message).toContain(scene.lock);
        expect((await rejection(baton.lock(scene.lock).tryAcquire())).code).toBe('queue-mismatch');
        expect(await scene.queue.ready(), 'nothing was published into it').toBe(0);
        await scene.queue.remove();
      }
    },
  },
];
