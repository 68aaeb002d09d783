import { isDeepStrictEqual } from 'node:util';
import { connect as connectAmqp } from 'amqplib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Finding } from '../../../src/cli/doctor/finding.ts';
import { type Coordinator, connect } from '../../../src/index.ts';
import { lockQueueName } from '../../../src/protocol/queues.ts';
import { startCluster } from '../site/cluster.ts';
import { RELEASES, type Site } from '../site/index.ts';
import { replaceMember, strangers } from '../site/members.ts';
import { doctor } from './commands.ts';

const TIMES = { leaseMs: 3_000, verifyEveryMs: 1_000, heartbeatMs: 2_000, healAfterMs: 300 };
const SHORT_LEASE = ['--lease', '3s', '--verify-every', '1s'];
/** Peers give each other up after 10 to 15 s here. */
const NOTICED = { timeout: 60_000, interval: 250 };
const GRANTED = { timeoutMs: 20_000 };
/** It was met in each of many runs; nothing promises that. */
const ATTEMPTS = 3;
const DELETED = ['held', 'used-there', 'idle'] as const;
/** Lost its token, and was given a new one. */
const STARTED_OVER = 'started-over';
const ALL = [...DELETED, STARTED_OVER, 'kept'] as const;
type Name = (typeof ALL)[number];

const { BATON_BROKER_VERSION: only } = process.env;
const releases = RELEASES.filter((release) => only === undefined || only === release);

describe.each(releases)('locks that are deleted while a node of RabbitMQ %s is cut off', (release) => {
  let site: Site;
  beforeAll(async () => {
    site = await startCluster(release, () => {}, { plugins: ['rabbitmq_management'] });
  }, 180_000);
  afterAll(() => site?.stop(), 60_000);
  const node = (index: number) => site.nodes[index] ?? expect.fail(`no node ${index}`);

  /** Each attempt has a namespace of its own: what an earlier one left behind is nothing to it. */
  let namespace = '';
  const queueOf = (name: Name) => lockQueueName(namespace, name);
  const worriesOf = async () =>
    (await doctor(site, 'line', '--namespace', namespace, ...SHORT_LEASE)).worries;
  const oldMembers = async () => {
    const found = [...(await strangers(site.nodes))];
    return new Map(found.filter(([queue]) => queue.startsWith(`baton.${namespace}.`)));
  };

  async function client(index: number): Promise<Coordinator> {
    const baton = await connect(node(index).url, { ...TIMES, namespace });
    onTestFinished(() => baton.close({ drainMs: 0 }));
    return baton;
  }

  async function destroy(): Promise<void> {
    const amqp = await connectAmqp(node(0).url);
    try {
      const channel = await amqp.createConfirmChannel();
      for (const name of DELETED) await channel.deleteQueue(queueOf(name));
      await channel.purgeQueue(queueOf(STARTED_OVER));
      channel.sendToQueue(queueOf(STARTED_OVER), Buffer.from('not a token'));
      await channel.waitForConfirms();
    } finally {
      await amqp.close();
    }
  }

  /** Deletes locks while the third node is away, takes the token of another one, and has them recreated. */
  async function deleteWhileAway() {
    const [here, there] = [await client(0), await client(2)];
    for (const name of ALL) await here.lock(name).run(() => {});
    const lease = await here.lock('held').acquire();
    const waiter = there.lock('held').run(() => 'granted');
    waiter.catch(() => {}); // of an attempt that is given up
    await here.lock('kept').acquire();
    await there.lock('used-there').run(() => {});
    const fences = new Map<Name, bigint>();
    await site.network?.cut(2);
    const seen = () => node(0).control.eval(`lists:member('${node(2).name}', nodes())`);
    await expect.poll(seen, NOTICED).toBe('false');
    await destroy();
    await lease.release();
    for (const name of [...DELETED, STARTED_OVER] as const) {
      fences.set(name, await here.lock(name).run(({ fence }) => fence, GRANTED));
    }
    await site.network?.heal();
    await site.whole();
    return { fences, waiter };
  }

  /** Has somebody wait there for each lock that is not granted there. */
  async function waitWhereDeaf() {
    const there = await client(2);
    const outcomes = await Promise.all(
      DELETED.map(async (name) => {
        const wait = there.lock(name);
        const lease = await wait.tryAcquire({ timeoutMs: 3_000 });
        await lease?.release();
        return lease === undefined ? [{ lock: name, wait }] : [];
      }),
    );
    const waiting = new Set<string>();
    const granted = outcomes.flat().map(async ({ lock, wait }) => {
      waiting.add(JSON.stringify(lock));
      await wait.run(() => {});
      waiting.delete(JSON.stringify(lock));
    });
    return { waiting, granted: Promise.all(granted) };
  }

  test('have members of another history there, unlike one that was started over, and are healed when these are replaced', async () => {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      namespace = `attempt-${attempt}`;
      const { fences, waiter } = await deleteWhileAway();
      const found = await oldMembers();
      const expected = new Map(DELETED.map((name) => [queueOf(name), [node(2).name]]));
      if (!isDeepStrictEqual(found, expected) && attempt < ATTEMPTS) continue;
      expect(found).toEqual(expected);
      const { waiting, granted } = await waitWhereDeaf();
      let worries: Finding[] = [];
      const isTold = async () => {
        worries = await worriesOf();
        const told = worries.flatMap(({ says, all = [says] }) => all.map((it) => it.split(' ')[1] ?? ''));
        return { told: told.sort(), waiting: [...waiting].sort() };
      };
      await expect.poll(isTold, NOTICED).toSatisfy(({ told, waiting: all }) => isDeepStrictEqual(told, all));
      for (const { level, says, fix } of worries) {
        expect([level, fix?.split('   #')[0]?.match(/ \S*add_member .* (\S+)$/)?.[1]]).toEqual([
          'warning',
          node(2).name,
        ]);
        expect(says).toContain(`${node(2).name} has an old member of the queue`);
      }
      for (const [queue, names] of found) {
        for (const name of names) await replaceMember(site.nodes, queue, name);
      }
      expect(await oldMembers()).toEqual(new Map());
      expect(await waiter).toBe('granted');
      await granted;
      expect(await worriesOf()).toEqual([]);
      for (const [name, before] of fences) {
        let highest = before;
        for (const index of [2, 1, 0]) {
          const baton = await client(index);
          const fence = await baton.lock(name).run((lease) => lease.fence, GRANTED);
          expect(fence).toBeGreaterThan(highest);
          highest = fence;
        }
      }
      return;
    }
  });
});
