import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import {
  baton,
  batonResult,
  coordinator,
  guardOf,
  isAlive,
  lockName,
  openEnded,
  packageCopy,
  shown,
  until,
} from '../support/baton.ts';
import { childrenOf } from '../support/processes.ts';
import { consumersOf, namespace, withChannel } from '../support/queues.ts';

const SAY = ['--', 'echo', 'ran'];
const NO_GUARD =
  /^baton: the guard process could not be started: Error: Cannot find module '.*guard\.js'; "echo" did not run\n$/;

const stop = (pid: number) => process.kill(pid, 'SIGSTOP');

/** Every job has been called once here, so that its next tick is one to run. */
async function eachSecond(): Promise<readonly string[]> {
  const once = ['run', 'job', '--namespace', namespace(), '--once-per', '* * * * * *', '--at-most-once'];
  await batonResult([...once, '--', 'true']);
  return once;
}

/** The tick of the last run, as `baton show` tells it. */
async function lastTick(once: readonly string[]): Promise<string | null> {
  const show = await batonResult(['show', 'job', '--namespace', once[3] ?? '', '--json']);
  const { job } = JSON.parse(show.stdout) as { job?: { doneUpTo?: string | null } | null };
  return job?.doneUpTo ?? null;
}

test('a guard that cannot start is told before the lock is asked for, and the tick is not consumed', async () => {
  const { command, guard } = await packageCopy();
  await rm(guard);
  const once = await eachSecond();
  const before = await lastTick(once);
  const { code, stdout, stderr } = await batonResult([...once, ...SAY], { command });
  expect({ code, stdout }).toEqual({ code: 70, stdout: '' });
  expect(stderr).toMatch(NO_GUARD);
  expect(before).not.toBeNull();
  expect(await lastTick(once)).toBe(before);
});

test('a package that is removed under a waiting process does not keep its command from running', async () => {
  const { command, guard } = await packageCopy();
  const lock = await lockName();
  const lease = await (await coordinator()).lock(lock).acquire();
  const run = baton(['run', lock, ...SAY], { command });
  await until(async () => expect(await consumersOf(lock)).toBe(2));
  await rm(guard);
  await lease.release();
  expect((await run.exit).code).toBe(0);
  expect([run.stdout, run.stderr]).toEqual(['ran\n', '']);
});

test('a guard that died during the wait and cannot be replaced is told in true words, and the tick is not consumed', async () => {
  const { command, guard } = await packageCopy();
  const once = await eachSecond();
  const before = await lastTick(once);
  const holder = await coordinator({ namespace: once[3] ?? '' });
  const lease = await holder.lock('job').acquire();
  const run = baton([...once, ...SAY], { command });
  await until(async () => expect(await consumersOf('job', once[3])).toBe(2));
  const pid = await guardOf(run);
  await rm(guard);
  process.kill(pid, 'SIGKILL');
  await lease.release();
  expect((await run.exit).code).toBe(70);
  expect(run.stderr).toMatch(NO_GUARD);
  expect(run.stdout).toBe('');
  expect(await lastTick(once)).toBe(before);
});

test.each([
  ['was stopped', stop],
  ['was killed', (pid: number) => process.kill(pid, 'SIGKILL')],
])('a guard that %s during the wait is replaced', async (_, harm) => {
  const lock = await lockName();
  const lease = await (await coordinator()).lock(lock).acquire();
  const run = baton(['run', lock, ...SAY]);
  await until(async () => expect(await consumersOf(lock)).toBe(2));
  harm(await guardOf(run));
  await lease.release();
  expect((await run.exit).code).toBe(0);
  expect([run.stdout, run.stderr]).toEqual(['ran\n', '']);
});

test('when the guard is stopped, a loss of the lock is still the end of the command, at once', async () => {
  const ns = namespace();
  const run = baton(['run', 'x', '--namespace', ns, '--', 'sh', '-c', 'echo pids $$ $PPID; sleep 600']);
  const [, command, guard] = await shown(run, /pids (\d+) (\d+)/);
  stop(Number(guard));
  await withChannel((channel) => channel.deleteQueue(`baton.${ns}.lock.x`));
  // No more than it takes baton to hear of it: the guard is continued after a second at the soonest.
  await until(() => expect(isAlive(Number(command))).toBe(false));
  expect((await run.exit).code).toBe(79);
});

test('a guard that was stopped is continued, and the exit code of the command is not lost', async () => {
  const lock = await lockName();
  const run = baton(['run', lock, '--', 'sh', '-c', 'kill -STOP $PPID; exit 5']);
  expect((await run.exit).code).toBe(5);
  expect(run.stderr).toBe('');
});

test('a guard that does not answer is replaced, and what replaced it kills the command when baton is killed', async () => {
  const lock = await lockName();
  const run = baton(['run', lock, '--', 'sh', '-c', 'echo pids $$ $PPID; sleep 600']);
  const [, command, guard] = await shown(run, /pids (\d+) (\d+)/);
  const again = setInterval(() => stop(Number(guard)), 5);
  try {
    await until(() => {
      const guards = childrenOf(run.pid).filter(({ args }) => args.endsWith(`guard.js ${lock}`));
      expect(guards).toHaveLength(2);
    });
    // In the first moments of the second one: it has not listened to anybody yet.
    run.signal('SIGKILL');
    await until(() => expect(isAlive(Number(command))).toBe(false));
  } finally {
    clearInterval(again);
    process.kill(Number(guard), 'SIGKILL');
  }
});

test('a command that kills its guard as its first act is killed', async () => {
  for (let time = 0; time < 5; time += 1) {
    const run = baton(['run', await lockName(), '--', 'sh', '-c', 'kill -9 $PPID; echo pid $$; sleep 600']);
    expect((await run.exit).code).toBe(70);
    const pid = /pid (\d+)/.exec(run.stdout)?.[1];
    if (pid !== undefined) expect(isAlive(Number(pid))).toBe(false);
  }
});

test('signals to the guard itself, such as systemd sends to every process of a service, do not end it', async () => {
  const lock = await lockName();
  const work = await openEnded();
  const run = baton(['run', lock, '--', 'sh', '-c', `echo guard $PPID; ${work.script}`]);
  const [, guard] = await shown(run, /guard (\d+)/);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM'] as const)
    process.kill(Number(guard), signal);
  await work.end();
  expect((await run.exit).code).toBe(0);
});
