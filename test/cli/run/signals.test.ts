import { expect, test } from 'vitest';
import { baton, batonResult, coordinator, isAlive, lockName, shown } from '../support/baton.ts';
import { descendantsOf } from '../support/processes.ts';

test.each([
  ['SIGINT', 11],
  ['SIGTERM', 12],
  ['SIGHUP', 13],
  ['SIGQUIT', 14],
  ['SIGUSR1', 15],
  ['SIGUSR2', 16],
  ['SIGWINCH', 17],
  ['SIGALRM', 18],
  ['SIGCONT', 19],
] as const)('%s is passed on to the command, whose answer counts', async (signal, code) => {
  const lock = await lockName();
  const name = signal.slice(3);
  const run = baton([
    'run',
    lock,
    '--',
    'sh',
    '-c',
    `trap 'echo got; exit ${code}' ${name}; echo up; while :; do sleep 0.05; done`,
  ]);
  await shown(run, /up/);
  run.signal(signal);
  expect((await run.exit).code).toBe(code);
  expect(run.stdout).toBe('up\ngot\n');
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
  ['SIGQUIT', 131],
] as const)('a command that %s kills shows as %i', async (signal, code) => {
  const lock = await lockName();
  const run = baton(['run', lock, '--', 'sleep', '60']);
  const other = await coordinator();
  // Nothing else tells that it runs.
  await expect
    .poll(async () => (await other.lock(lock).tryAcquire())?.release() ?? 'held', { timeout: 20_000 })
    .toBe('held');
  await expect.poll(() => descendantsOf(run.pid), { timeout: 20_000 }).toMatch(/sleep 60/);
  run.signal(signal);
  expect((await run.exit).code).toBe(code);
});

test('a signal reaches the whole group, as it would from a terminal', async () => {
  const lock = await lockName();
  // The trap of the one that speaks last is set first.
  const script = `trap : TERM; sh -c 'trap "echo grandchild; exit" TERM; echo up; while :; do sleep 0.05; done' & wait; wait; exit 5`;
  const run = baton(['run', lock, '--', 'bash', '-c', script]);
  await shown(run, /up/);
  run.signal('SIGTERM');
  expect((await run.exit).code).toBe(5);
  expect(run.stdout).toBe('up\ngrandchild\n');
});

test('a signal the command ignores ends nothing, and the next one is passed on as well', async () => {
  const lock = await lockName();
  const script = `trap 'echo one' INT; trap 'exit 4' TERM; echo up; while :; do sleep 0.05; done`;
  const run = baton(['run', lock, '--', 'sh', '-c', script]);
  await shown(run, /up/);
  run.signal('SIGINT');
  await shown(run, /one\n/);
  run.signal('SIGINT');
  await shown(run, /one\none\n/);
  expect((await batonResult(['run', lock, '--no-wait', '--', 'true'])).code).toBe(75);
  run.signal('SIGTERM');
  expect((await run.exit).code).toBe(4);
});

test('when baton is killed with SIGKILL, the whole group of the command is dead within a second', async () => {
  const lock = await lockName();
  const script = `trap '' TERM INT HUP; sleep 600 & echo pids $$ $!; while :; do sleep 0.05; done`;
  const run = baton(['run', lock, '--', 'sh', '-c', script]);
  const [, ...pids] = await shown(run, /pids (\d+) (\d+)/);
  expect(pids.map(Number).map(isAlive)).toEqual([true, true]);
  const killedAt = performance.now();
  run.signal('SIGKILL');
  await expect
    .poll(() => pids.map(Number).map(isAlive), { timeout: 10_000, interval: 5 })
    .toEqual([false, false]);
  expect(performance.now() - killedAt).toBeLessThan(1_000);
});

test('when the guard is killed, the command is killed, and baton says so', async () => {
  const lock = await lockName();
  const run = baton(['run', lock, '--', 'sh', '-c', 'echo pids $$ $PPID; sleep 600']);
  const [, command, guard] = await shown(run, /pids (\d+) (\d+)/);
  process.kill(Number(guard), 'SIGKILL');
  const { code } = await run.exit;
  expect({ code, stderr: run.stderr }).toEqual({
    code: 70,
    stderr: 'baton: the guard process was killed, so the command was killed as well\n',
  });
  expect(isAlive(Number(command))).toBe(false);
});
