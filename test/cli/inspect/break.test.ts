import { spawn } from 'node:child_process';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { Program } from '../../support/processes.ts';
import { BROKER, batonResult, coordinator, until } from '../support/baton.ts';
import { management, namespace, withChannel } from '../support/queues.ts';

test('--yes takes the lock: the holder is told, the waiter is granted, the fence rises', async () => {
  const ns = namespace();
  const holder = await coordinator({ namespace: ns });
  const waiter = await coordinator({ namespace: ns });
  const lease = await holder.lock('x').acquire();
  const waiting = waiter.lock('x').acquire();
  const { code, stdout, stderr } = await batonResult([
    'break',
    'x',
    '--namespace',
    ns,
    '--yes',
    ...management(),
  ]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  expect(stderr).toMatch(
    /^baton: lock "x" was taken from its holder, who has been told, and the next one creates it/,
  );
  await until(() => expect(lease.signal.aborted).toBe(true));
  expect(lease.signal.reason).toMatchObject({ code: 'lease-lost', reason: 'queue-deleted' });
  const next = await waiting;
  expect(next.fence).toBeGreaterThan(lease.fence);
  await next.release();
});

test('without the management API it says that it could not find out whether all nodes run', async () => {
  const ns = namespace();
  const it = await coordinator({ namespace: ns });
  await (await it.lock('x').acquire()).release();
  const off = ['--management-url', 'http://127.0.0.1:9'];
  const { code, stderr } = await batonResult(['break', 'x', '--namespace', ns, '--yes', ...off]);
  expect(code).toBe(0);
  expect(stderr).toMatch(
    /^baton: whether all nodes of the cluster run could not be found out\nbaton: lock "x" was deleted/m,
  );
});

test('a lock that is broken while nobody uses it comes back above the clock', async () => {
  const ns = namespace();
  const it = await coordinator({ namespace: ns });
  const first = await it.lock('x').acquire();
  await first.release();
  await batonResult(['break', 'x', '--namespace', ns, '--yes', ...management()]);
  const before = BigInt(Date.now()) << 20n;
  const newcomer = await coordinator({ namespace: ns });
  const lease = await newcomer.lock('x').acquire();
  expect(lease.fence).toBeGreaterThanOrEqual(before);
  expect(lease.fence).toBeGreaterThan(first.fence);
});

test('deletes the queue of the lock, and nothing else of its name', async () => {
  const ns = namespace();
  const it = await coordinator({ namespace: ns });
  await (await it.lock('x').acquire()).release();
  await (await it.lock('xy').acquire()).release();
  const beside = `baton.${ns}.state.x`;
  await withChannel((channel) => channel.assertQueue(beside));
  expect((await batonResult(['break', 'x', '--namespace', ns, '--yes', ...management()])).code).toBe(0);
  await withChannel(async (channel) => {
    expect((await channel.checkQueue(`baton.${ns}.lock.xy`)).messageCount).toBe(1);
    expect((await channel.checkQueue(beside)).queue).toBe(beside);
  });
});

test('without --yes and without a terminal nothing is deleted', async () => {
  const ns = namespace();
  const it = await coordinator({ namespace: ns });
  const lease = await it.lock('x').acquire();
  const { code, stderr } = await batonResult(['break', 'x', '--namespace', ns, ...management()]);
  expect(code).toBe(64);
  expect(stderr).toMatch(/on a terminal, or with --yes/);
  await lease.verify();
});

test('a lock that is not there is code 1, and is not made', async () => {
  const ns = namespace();
  const { code, stderr } = await batonResult(['break', 'never', '--namespace', ns, '--yes', ...management()]);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: `baton: there is no lock "never" in namespace ${ns}\n`,
  });
});

/** `baton` on a terminal of its own, which `script` of util-linux provides. */
function onTerminal(args: readonly string[]): { program: Program; type: (text: string) => void } {
  const command = [process.execPath, process.env.BATON_TEST_COMMAND ?? '', ...args]
    .map((it) => `'${it}'`)
    .join(' ');
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    env: { ...process.env, BATON_URL: BROKER.url },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const program = new Program('script', child);
  // Not awaited: its end is that of everybody who has its stdout.
  onTestFinished(() => program.signal('SIGKILL'));
  return { program, type: (text) => void child.stdin.write(text) };
}

test.each([
  ['n', 1, /nothing was changed/, true],
  ['', 1, /nothing was changed/, true],
  ['y', 0, /was taken from its holder/, false],
])(
  'on a terminal it says who holds the lock and asks; the answer %j ends with %i',
  async (answer, code, said, still) => {
    const ns = namespace();
    const it = await coordinator({ namespace: ns, service: 'billing' });
    const lease = await it.lock('x').acquire();
    const { program, type } = onTerminal(['break', 'x', '--namespace', ns, ...management()]);
    await until(() => expect(program.stdout).toMatch(/Lock "x" is held.*Break it\? \[y\/N\]/));
    type(`${answer}\n`);
    expect((await program.exit).code).toBe(code);
    expect(program.stdout).toMatch(said);
    const holds = await lease.verify().then(
      () => true,
      () => false,
    );
    expect(holds).toBe(still);
  },
);

test('with --state the state goes too', async () => {
  const ns = namespace();
  const it = await coordinator({ namespace: ns });
  const lock = it.lock('x', { state: z.number() });
  await (await lock.acquire()).release({ state: 7 });
  const { code } = await batonResult(['break', 'x', '--namespace', ns, '--yes', '--state', ...management()]);
  expect(code).toBe(0);
  const next = await (await coordinator({ namespace: ns })).lock('x', { state: z.number() }).acquire();
  expect(next).toMatchObject({ state: undefined, minted: true });
});
