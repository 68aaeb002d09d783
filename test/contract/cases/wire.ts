import { expect } from 'vitest';
import { lockQueueArguments } from '../../../src/protocol/queues.ts';
import type { ProxiedConnection } from '../../support/proxy.ts';
import type { Case } from '../contract.ts';
import { asked, queueUp, rejection, turn } from './tools.ts';

/** What a connection sent on one channel number, cut at each channel.open: the channels as the broker saw them. */
function channelsOf({ sent }: ProxiedConnection): string[][] {
  const open = new Map<number, string[]>();
  const all: string[][] = [];
  for (const { method, channel } of sent) {
    if (method === 'channel.open') {
      const methods: string[] = [];
      open.set(channel, methods);
      all.push(methods);
    }
    open.get(channel)?.push(method);
  }
  return all;
}

export const wire: readonly Case[] = [
  {
    title:
      'a connection that carries consumers never publishes, and the one that publishes carries nothing else',
    needs: ['frames'],
    async run(scene) {
      const baton = await scene.connect({ healAfterMs: 500 });
      await baton.lock(scene.lock).run(() => {});
      await (await baton.lock(scene.lock).acquire()).release();
      await scene.queue.purge();
      await (await baton.lock(scene.lock).acquire({ timeoutMs: 20_000 })).release(); // healed by a probe
      const { connections } = scene.proxy(baton);
      const publishing = connections.filter(({ sent }) =>
        sent.some(({ method }) => method === 'basic.publish'),
      );
      const consuming = connections.filter(({ sent }) =>
        sent.some(({ method }) => method === 'basic.consume'),
      );
      expect(publishing).toHaveLength(1);
      expect(consuming.length).toBeGreaterThan(0);
      expect(consuming).not.toContain(publishing[0]);
      const elsewhere = new Set(publishing[0]?.sent.map(({ method }) => method));
      for (const method of ['basic.consume', 'queue.declare', 'queue.delete'])
        expect(elsewhere).not.toContain(method);
    },
  },
  {
    title: 'a channel that has had a consumer is never used again, and nothing is ever cancelled or acked',
    needs: ['frames'],
    async run(scene) {
      const baton = await scene.connect();
      const lock = baton.lock(scene.lock);
      for (let i = 0; i < 10; i += 1) {
        const lease = await lock.acquire();
        const { lease: waiting } = await queueUp(lock);
        const abandoned = rejection(lock.acquire({ timeoutMs: 30 }));
        await lease.verify();
        await abandoned;
        await lease.release();
        await (await waiting).release();
        await lock.tryRun(() => {});
      }
      const proxy = scene.proxy(baton);
      expect(proxy.sent('basic.cancel')).toBe(0);
      expect(proxy.sent('basic.ack')).toBe(0);
      const channels = proxy.connections
        .flatMap(channelsOf)
        .filter((methods) => methods.includes('basic.consume'));
      expect(channels.length).toBeGreaterThan(30);
      for (const methods of channels) {
        expect(methods.filter((method) => method === 'basic.consume')).toHaveLength(1);
        expect(methods).not.toContain('basic.publish');
      }
    },
  },
  {
    title: 'giving up and releasing put channel.close on the wire, once for each contender',
    needs: ['frames'],
    async run(scene) {
      const baton = await scene.connect();
      const lock = baton.lock(scene.lock);
      const lease = await lock.acquire();
      // Of lock connections: how many channels there may be is tried on another one.
      const consuming = () =>
        scene
          .proxy(baton)
          .connections.filter(({ sent }) => sent.some(({ method }) => method === 'basic.consume'));
      const closes = () =>
        consuming().flatMap(({ sent }) => sent.filter(({ method }) => method === 'channel.close')).length;
      const before = closes();
      await rejection(lock.acquire({ timeoutMs: 100 }));
      await lease.release();
      await expect.poll(closes).toBe(before + 2);
    },
  },
  {
    title:
      'small frames leave one by one: twenty in twenty turns of the event loop arrive in more than ten reads',
    needs: ['frames', 'line'],
    async run(scene) {
      // Nagle's algorithm holds small segments back until the one before is acknowledged: 22 hand-offs a second.
      const baton = await scene.connect();
      const leases = await Promise.all(
        Array.from({ length: 20 }, (_, i) => baton.lock(`${scene.lock}/${i}`).acquire()),
      );
      // The kernel acknowledges the first segments of a connection at once; only then does it begin to wait.
      for (let round = 0; round < 3; round += 1) for (const lease of leases) await lease.verify();
      const consuming = scene
        .proxy(baton)
        .connections.filter(({ sent }) => sent.some(({ method }) => method === 'basic.consume'));
      const reads = () => consuming.reduce((sum, { toServer }) => sum + toServer.chunks, 0);
      // While the line is frozen the proxy goes on reading and counting, but no answer carries an acknowledgement back.
      const [before, questions] = [reads(), asked(scene, baton)];
      scene.line(baton).freeze();
      const answers: Promise<void>[] = [];
      for (const lease of leases) {
        answers.push(lease.verify());
        for (let i = 0; i < 4; i += 1) await turn();
      }
      await expect.poll(() => asked(scene, baton)).toBe(questions + leases.length);
      const needed = reads() - before;
      scene.line(baton).thaw();
      await Promise.all(answers);

      expect(needed).toBeGreaterThan(10);
      await Promise.all(leases.map((lease) => lease.release()));
      await scene.forget(leases.map(({ name }) => name));
    },
  },
  {
    title: 'the queue’s arguments are the wire format: a client with the documented ones meets no 406',
    needs: ['frames'],
    async run(scene) {
      const baton = await scene.connect();
      await (await baton.lock(scene.lock).acquire()).release();
      const documented = {
        'x-queue-type': 'quorum',
        'x-single-active-consumer': true,
        'x-delivery-limit': 1_000_000_000,
      };
      await scene.declareQueue(documented);
      expect(lockQueueArguments()).toEqual(documented);
    },
  },
];
