import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Program } from '../support/processes.ts';
import { BROKER, baton, guardOf, lockName, openEnded, shown, until } from './support/baton.ts';
import { childrenOf } from './support/processes.ts';
import { management } from './support/queues.ts';

const DEBUGGER_PORT = 9229;

test('SIGUSR1 opens no debugger, neither in baton nor in its guard', async () => {
  const work = await openEnded();
  const run = baton(['run', await lockName(), '--', 'sh', '-c', `trap '' USR1; echo up; ${work.script}`]);
  await shown(run, /up/);
  run.signal('SIGUSR1');
  process.kill(await guardOf(run), 'SIGUSR1');
  const outcome = await new Promise((resolve) => {
    const socket = connect(DEBUGGER_PORT, '127.0.0.1', () => resolve('open'));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    onTestFinished(() => void socket.destroy());
  });
  await work.end();
  expect((await run.exit).code).toBe(0);
  expect([outcome, run.stderr]).toEqual(['ECONNREFUSED', '']);
});

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)(
  'baton ls --watch ends on %s as process 1 too, which gets no signal it does not ask for',
  async (signal, code) => {
    const command = [
      process.execPath,
      process.env.BATON_TEST_COMMAND ?? '',
      'ls',
      '--watch',
      ...management(),
    ];
    // Its own user as well, because only root makes a namespace of processes alone.
    const flags = ['--user', '--map-root-user', '--pid', '--fork', '--kill-child'];
    const child = spawn('unshare', [...flags, ...command], {
      env: { ...process.env, BATON_URL: BROKER.url },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const program = new Program('unshare', child);
    onTestFinished(() => program.signal('SIGKILL'));
    await shown(program, /LOCK|no locks/);
    const [ls] = await until(() => {
      const children = childrenOf(program.pid);
      expect(children).toHaveLength(1);
      return children;
    });
    process.kill(ls?.pid ?? 0, signal);
    expect((await program.exit).code).toBe(code);
  },
);

test.each([
  ['SIGTERM', 'ls'],
  ['SIGINT', 'ls'],
] as const)('%s ends baton %s as it ends any other program', async (signal, name) => {
  const watch = baton([name, '--watch', ...management()]);
  await shown(watch, /LOCK|no locks/);
  watch.signal(signal);
  expect(await watch.exit).toEqual({ code: null, signal });
});
