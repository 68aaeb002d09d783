import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Finding } from '../../../src/cli/doctor/finding.ts';
import { connect } from '../../../src/index.ts';
import { startCluster } from '../site/cluster.ts';
import { textsIn } from '../site/erlang.ts';
import { RELEASES, type Site } from '../site/index.ts';
import { baton, doctor } from './commands.ts';

/** Peers give each other up after 10 to 15 s here, and RabbitMQ tells of its nodes every 5 s. */
const NOTICED = { timeout: 60_000, interval: 500 };

async function queuesOf(site: Site): Promise<string[]> {
  const names = await site.nodes[0]?.control.eval(
    '[binary_to_list(element(4, amqqueue:get_name(Queue))) || Queue <- rabbit_amqqueue:list()]',
  );
  return textsIn(names ?? '');
}

const { BATON_BROKER_VERSION: only } = process.env;
const releases = RELEASES.filter((release) => only === undefined || only === release);

describe.each(releases)('baton doctor on three nodes of RabbitMQ %s', (release) => {
  let site: Site;
  beforeAll(async () => {
    site = await startCluster(release, () => {}, { plugins: ['rabbitmq_management'] });
  }, 180_000);
  afterAll(() => site?.stop(), 60_000);
  const node = (index: number) => site.nodes[index] ?? expect.fail(`no node ${index}`);
  const whole = () => site.whole().then(() => {});

  /** Makes locks, kills every node at once and starts them again. */
  async function killYoung(names: readonly string[]): Promise<void> {
    const maker = await connect(node(0).url);
    await Promise.all(names.map((name) => maker.lock(name).run(() => {})));
    await Promise.all(site.nodes.map(({ control }) => control.kill()));
    await maker.close({ drainMs: 0 });
    await Promise.all(site.nodes.map(({ control }) => control.start()));
  }

  test('finds nothing but that metadata in Mnesia can split, and its command shows what is set', async () => {
    const found = await doctor(site);
    if (release !== '3.10') return expect(found).toEqual({ code: 0, worries: [] });
    expect(found).toMatchObject({ code: 1, worries: [{ check: 'partitions', level: 'warning' }] });
    const [command = ''] = found.worries.map(({ fix }) => fix?.split(' | ')[0]);
    expect(command).toMatch(/^rabbitmqctl /);
    expect(await node(0).control.ctl(...command.split(' ').slice(1))).toContain(
      '{cluster_partition_handling,pause_minority}',
    );
  });

  test.runIf(release !== '3.10')(
    'tells of a consumer timeout that a held state does not outlive, and its command mends it',
    async () => {
      const everywhere = (erlang: string) =>
        Promise.all(site.nodes.map(({ control }) => control.ctl('eval', erlang)));
      const worriesOfHolder = async () => {
        await using holder = await connect(node(0).url);
        const lease = await holder.lock('stateful', { state: z.number() }).acquire();
        await expect
          .poll(() => baton(site, 'doctor', '--json').then(({ stdout }) => stdout), NOTICED)
          .toContain('two refreshes of its state take 10m');
        const { worries } = await doctor(site, 'consumer-timeout');
        await lease.release();
        return worries;
      };
      await everywhere('application:set_env(rabbit, consumer_timeout, 60000).');
      const [worry, ...more] = await worriesOfHolder();
      expect([worry?.level, more]).toEqual(['problem', []]);
      expect(worry?.says).toMatch(
        /^consumers time out after 1m, and two refreshes of .* takes locks from their holders$/,
      );
      await everywhere(/^rabbitmqctl eval '(.*)' /.exec(worry?.fix ?? '')?.[1] ?? expect.fail('no command'));
      expect(await worriesOfHolder()).toEqual([]);
    },
  );

  test('tells of locks without a leader, and breaking them mends them', async () => {
    let leaderless: Finding[] = [];
    for (let round = 0; leaderless.length === 0 && round < (release === '4.3' ? 1 : 5); round += 1) {
      await killYoung([0, 1, 2, 3].map((index) => `young-${round}-${index}`));
      leaderless = (await doctor(site, 'tokens')).worries;
    }
    if (release === '4.3') return expect(leaderless).toEqual([]);
    expect(leaderless).not.toEqual([]);
    for (const { level, says, all = [says], fix } of leaderless) {
      const locks = all.map((it) => /^lock "(.*?)"/.exec(it)?.[1] ?? expect.fail(says));
      const breaking = (lock = '') => ['break', lock, '--namespace', 'default', '--yes'];
      expect(says).toMatch(/ has no leader: /);
      expect([level, fix?.split('   #')[0]]).toEqual(['problem', `baton ${breaking(locks[0]).join(' ')}`]);
      for (const lock of locks) {
        expect(await baton(site, ...breaking(lock))).toMatchObject({ code: 0 });
        await using next = await connect(node(1).url);
        await next.lock(lock).run(() => {}, { timeoutMs: 20_000 });
      }
    }
    expect((await doctor(site, 'tokens')).worries).toEqual([]);
  });

  // Of 4.0 and 4.3 one, because it takes long.
  test.skipIf(release === '4.0')('tells of a node that is down, and that two are no majority', async () => {
    await using maker = await connect(node(0).url);
    await maker.lock('old').run(() => {});
    await node(2).control.kill();
    const down = () => doctor(site, 'nodes').then(({ worries }) => worries);
    await expect.poll(down, NOTICED).toMatchObject([
      {
        level: 'warning',
        says: expect.stringMatching(/^not running: rabbit@n3\. Delete no lock/),
        fix: 'rabbitmqctl cluster_status',
      },
    ]);
    expect((await doctor(site, 'tokens')).worries).toEqual([]);
    const own = 'baton.default.lock.baton-doctor@';
    expect(await queuesOf(site), 'doctor deletes nothing now').toContainEqual(expect.stringContaining(own));
    expect(await baton(site, 'break', 'old', '--yes')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^baton: lock "old" was not broken, because rabbit@n3 does not run/),
    });
    await node(1).control.kill();
    if (release === '3.10') {
      // The last one pauses.
      await expect.poll(() => baton(site, 'doctor', '--json'), NOTICED).toMatchObject({ code: 69 });
    } else {
      const lost = async () => {
        const { worries } = await doctor(site, 'tokens');
        const without = worries.filter(({ says }) => / has 1 of 3 members online, no majority/.test(says));
        return without.flatMap(({ says, all = [says] }) => all);
      };
      await expect.poll(lost, NOTICED).toContainEqual(expect.stringMatching(/^lock "old"/));
    }
    await Promise.all([1, 2].map((index) => node(index).control.start()));
    await whole();
    await expect.poll(down, NOTICED).toEqual([]);
    expect(await queuesOf(site)).not.toContainEqual(expect.stringContaining(own));
  });

  test.runIf(release === '3.10')('tells of a partition that has happened', async () => {
    const handling = (how: string) =>
      site.nodes.map(({ control }) =>
        control.eval(`application:set_env(rabbit, cluster_partition_handling, ${how})`),
      );
    await Promise.all(handling('ignore'));
    await site.network?.cut(2);
    await expect
      .poll(() => doctor(site, 'nodes').then(({ worries }) => worries.length), NOTICED)
      .toBeGreaterThan(0);
    await site.network?.heal();
    await expect
      .poll(() => doctor(site, 'partitions').then(({ worries }) => worries), NOTICED)
      .toMatchObject([
        {
          level: 'problem',
          says: expect.stringMatching(/^the cluster has been partitioned \(rabbit@n/),
          fix: 'rabbitmqctl cluster_status',
        },
      ]);
  });
});
