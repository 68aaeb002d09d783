import { expect, test } from 'vitest';
import { baton, batonResult, coordinator, isAlive, lockName, shown, until } from '../support/baton.ts';
import { control } from '../support/queues.ts';

const FENCE = /^\d{16,19}$/;

test('the command gets the lock and the fence in its environment, and the fence rises', async () => {
  const lock = await lockName();
  const show = ['run', lock, '--', 'sh', '-c', 'echo "$BATON_LOCK"; echo "$BATON_FENCE"'];
  const first = (await batonResult(show)).stdout.split('\n');
  const second = (await batonResult(show)).stdout.split('\n');
  expect([first[0], second[0]]).toEqual([lock, lock]);
  expect(first[1]).toMatch(FENCE);
  expect(BigInt(second[1] ?? 0)).toBeGreaterThan(BigInt(first[1] ?? 0));
});

test('a nested run sees its own lock and fence, whatever it inherits', async () => {
  const [outer, inner] = [await lockName('outer'), await lockName('inner')];
  const command = process.env.BATON_TEST_COMMAND ?? '';
  const nested = `echo "$BATON_LOCK $BATON_FENCE"; "${process.execPath}" "${command}" run ${inner} -- sh -c 'echo "$BATON_LOCK $BATON_FENCE"'`;
  const { code, stdout } = await batonResult(['run', outer, '--', 'sh', '-c', nested]);
  const [first = [], second = []] = stdout.split('\n').map((line) => line.split(' '));
  expect(code).toBe(0);
  expect([first[0], second[0]]).toEqual([outer, inner]);
  expect(second[1]).toMatch(FENCE);
  expect(second[1]).not.toBe(first[1]);
});

test('stdin, stdout and stderr go straight through, and baton adds nothing to them', async () => {
  const lock = await lockName();
  const result = await batonResult(['run', lock, '--', 'sh', '-c', 'cat; echo talk >&2'], {
    input: 'a\nb\n',
  });
  expect(result).toEqual({ code: 0, stdout: 'a\nb\n', stderr: 'talk\n' });
});

test('arguments after -- are the command’s, also those that look like flags', async () => {
  const lock = await lockName();
  const result = await batonResult(['run', lock, '--', 'echo', '--wait', '--help', '--', '-v']);
  expect(result).toEqual({ code: 0, stdout: '--wait --help -- -v\n', stderr: '' });
});

test('the command leads a process group of its own', async () => {
  const lock = await lockName();
  const run = baton(['run', lock, '--', 'sh', '-c', 'echo "pid $$ group $(ps -o pgid= -p $$)"; sleep 30']);
  const [, pid, group] = await shown(run, /pid (\d+) group +(\d+)/);
  expect(group).toBe(pid);
  expect(Number(group)).not.toBe(run.pid);
});

test('what a command leaves behind in its group is gone before the lock is free', async () => {
  const lock = await lockName();
  const run = baton(['run', lock, '--kill-after', '500ms', '--', 'sh', '-c', 'sleep 60 & echo left $!']);
  const [, pid] = await shown(run, /left (\d+)/);
  expect((await run.exit).code).toBe(0);
  expect(isAlive(Number(pid))).toBe(false);
});

test('what is left behind and ignores SIGTERM is killed after --kill-after', async () => {
  const lock = await lockName();
  const stubborn = `trap '' TERM; (while :; do sleep 0.1; done) & echo left $!`;
  const run = baton(['run', lock, '--kill-after', '500ms', '--', 'sh', '-c', stubborn]);
  const [, pid] = await shown(run, /left (\d+)/);
  expect((await run.exit).code).toBe(0);
  expect(isAlive(Number(pid))).toBe(false);
});

test('the lock is held while the command runs, and free when baton has ended', async () => {
  const lock = await lockName();
  const run = baton(['run', lock, '--', 'sh', '-c', 'echo running; read line'], { input: undefined });
  const other = await coordinator();
  await until(async () => expect((await run.exit).code).toBe(1)); // read finds the end of stdin
  const lease = await other.lock(lock).tryAcquire();
  expect(lease).toBeDefined();
  const second = await batonResult(['run', lock, '--no-wait', '--', 'true']);
  expect(second.code).toBe(75);
});

test('the library and the command reach the same lock, in every namespace', async () => {
  const lock = await lockName();
  const other = await coordinator({ namespace: 'cli-other' });
  const lease = await other.lock(lock).acquire();
  expect((await batonResult(['run', lock, '--no-wait', '--', 'true'])).code).toBe(0);
  const there = ['run', lock, '--no-wait', '--namespace', 'cli-other', '--', 'true'];
  expect((await batonResult(there)).code).toBe(75);
  await lease.release();
});

test('--verbose tells what happens, as JSON lines on stderr, and leaves stdout to the command', async () => {
  const lock = await lockName();
  const { stdout, stderr } = await batonResult(['run', lock, '--verbose', '--', 'echo', 'data']);
  expect(stdout).toBe('data\n');
  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string; msg: string });
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.every(({ name }) => name === 'baton')).toBe(true);
});

test('--label is shown with the connections at the broker; the command’s name is the default', async () => {
  const [one, two] = [await lockName('one'), await lockName('two')];
  const named = baton(['run', one, '--label', 'the nightly dump', '--', 'sh', '-c', 'echo up; sleep 30']);
  const unnamed = baton(['run', two, '--', 'sh', '-c', 'echo up; sleep 30']);
  await Promise.all([shown(named, /up/), shown(unnamed, /up/)]);
  const properties = await control().ctl('list_connections', 'pid', 'client_properties');
  expect(properties).toMatch(/"baton_label".*"the nightly dump"/);
  expect(properties).toMatch(/"baton_label".*"sh"/);
});
