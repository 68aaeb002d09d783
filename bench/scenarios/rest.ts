import { setTimeout as pause } from 'node:timers/promises';
import { messagesOn } from '../peers/messages.ts';
import { untilCalm, useOf } from '../peers/processes.ts';
import type { Case, Figures, Scenario, Slice } from './scenario.ts';

interface Rest extends Case {
  readonly what: 'idle' | 'held' | 'waiting';
  readonly count: number;
}

const CASES: readonly Rest[] = [
  { id: 'idle', title: '1,000 idle locks', what: 'idle', count: 1_000 },
  { id: 'held', title: '1,000 held locks', what: 'held', count: 1_000 },
  { id: 'waiting', title: '2,000 waiters for one lock', what: 'waiting', count: 2_000 },
];

const SETTLE_MS = 1_000;
/** Everybody verifies once in it. */
const WATCH_MS = 5_000;
/** Redlock stands for all who poll. */
const OTHER_POLLERS: readonly string[] = ['etcd3', 'redis-semaphore', 'memcached'];

/** What it costs to do nothing: one client process has all the locks, or all the waits. */
async function measureRest(slice: Slice): Promise<Figures> {
  const { server, lock } = slice;
  const { what, count: full } = slice.case as Rest;
  const count = slice.quick ? full / 10 : full;
  const crew = slice.ownCrew();
  const scratch = await server.scratch?.();
  const urls = scratch?.urls ?? server.urls;
  try {
    const [client, other] = await crew.open(urls, { waits: count }, 2);
    if (client === undefined || other === undefined) throw new Error('two processes are wanted');
    // Code and connections that are there in any case.
    await client.call('take', { names: [`${lock}-first`], release: true });
    const [before, serverBefore] = [await client.call('usage'), await useOf(await server.pids())];
    if (what === 'waiting') {
      await other.call('hold', lock);
      await client.call(
        'wait',
        Array.from({ length: count }, () => lock),
      );
    } else {
      const names = Array.from({ length: count }, (_, index) => `${lock}-${index}`);
      await client.call('take', { names, release: what === 'idle' });
    }
    await pause(SETTLE_MS);

    const [calm, serverCalm] = [await client.call('usage'), await useOf(await server.pids())];
    const messages = await messagesOn(urls);
    await pause(WATCH_MS);
    const more = (await messagesOn(urls)) - messages;
    const serverAfter = await useOf(await server.pids());
    const after = await client.call('usage');
    const percentOf = (cpuMs: number) => (cpuMs * 100) / WATCH_MS;
    return {
      clientKiBEach: (calm.heapBytes - before.heapBytes) / 1_024 / count,
      clientRssKiBEach: (calm.rssBytes - before.rssBytes) / 1_024 / count,
      // The question costs a garbage collection, which is answered after the watch and not counted in it.
      clientCpuPercent: percentOf(after.cpuBeforeMs - calm.cpuMs),
      serverKiBEach: (serverCalm.bytes - serverBefore.bytes) / 1_024 / count,
      serverCpuPercent: percentOf(serverAfter.cpuMs - serverCalm.cpuMs),
      messagesPerS: (more * 1_000) / WATCH_MS,
    };
  } finally {
    crew.stop();
    await scratch?.remove();
    await untilCalm(server);
  }
}

export const rest: Scenario = {
  id: 'rest',
  letter: 'E',
  title: 'At rest',
  cases: CASES,
  leavesOut: ({ id, options }) => options !== undefined || OTHER_POLLERS.includes(id),
  aboutS: 9,
  measure: measureRest,
};
