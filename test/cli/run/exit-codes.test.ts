import { connect as connectAmqp } from 'amqplib';
import { expect, onTestFinished, test } from 'vitest';
import { lockQueueName } from '../../../src/protocol/topology.ts';
import { BROKER, baton, batonResult, coordinator, lockName, shown } from '../support/baton.ts';

test("the command's exit code passes through", async () => {
  const lock = await lockName();
  expect((await batonResult(['run', lock, '--', 'sh', '-c', 'exit 3'])).code).toBe(3);
  expect((await batonResult(['run', lock, '--', 'true'])).code).toBe(0);
});

test.each([
  ['KILL', 137],
  ['TERM', 143],
  ['SEGV', 139],
])('a command that dies by SIG%s shows as %i, as in a shell', async (signal, code) => {
  const lock = await lockName();
  expect((await batonResult(['run', lock, '--', 'sh', '-c', `kill -${signal} $$`])).code).toBe(code);
});

test('a command that is not there is 127, one that cannot be run 126, and the lock is free again', async () => {
  const lock = await lockName();
  const missing = await batonResult(['run', lock, '--', 'no-such-command']);
  expect(missing).toEqual({
    code: 127,
    stdout: '',
    stderr: 'baton: cannot run "no-such-command": no such file or directory (ENOENT)\n',
  });
  expect((await batonResult(['run', lock, '--no-wait', '--', '/etc/passwd'])).code).toBe(126);
});

test('with --no-wait a held lock is 75, and the command does not run', async () => {
  const lock = await lockName();
  const baton = await coordinator();
  await baton.lock(lock).acquire();
  const started = performance.now();
  const result = await batonResult(['run', lock, '--no-wait', '--', 'echo', 'ran']);
  expect(result).toEqual({
    code: 75,
    stdout: '',
    stderr: `baton: lock "${lock}" was not acquired: somebody else holds it\n`,
  });
  expect(performance.now() - started).toBeLessThan(10_000);
});

test('with --wait a lock that stays held is 75 when the time is over', async () => {
  const lock = await lockName();
  const baton = await coordinator();
  await baton.lock(lock).acquire();
  const started = performance.now();
  const result = await batonResult(['run', lock, '--wait', '1500ms', '--', 'echo', 'ran']);
  expect(performance.now() - started).toBeGreaterThan(1_500);
  expect(result).toEqual({
    code: 75,
    stdout: '',
    stderr: `baton: lock "${lock}" was not acquired within 1500ms: somebody else holds it\n`,
  });
});

test('a lock that is lost is 79, and the command is killed', async () => {
  const lock = await lockName();
  const run = baton(['run', lock, '--', 'sh', '-c', 'echo running; sleep 60']);
  await shown(run, /running/);
  const amqp = await connectAmqp(BROKER.url);
  onTestFinished(() => amqp.close());
  const channel = await amqp.createChannel();
  await channel.deleteQueue(lockQueueName('default', lock));
  const { code } = await run.exit;
  expect({ code, stderr: run.stderr }).toEqual({
    code: 79,
    stderr: `baton: lost lock "${lock}": the lock queue was deleted (queue-deleted); the command was killed\n`,
  });
});

test('nobody who answers is 69, after --connect-timeout', async () => {
  const nowhere = ['--url', 'amqp://127.0.0.1:1', '--connect-timeout', '1500ms'];
  const started = performance.now();
  const result = await batonResult(['run', 'x', ...nowhere, '--', 'true']);
  expect(performance.now() - started).toBeGreaterThan(1_000);
  expect(result.code).toBe(69);
  expect(result.stderr).toMatch(
    /^baton: Nothing listens at 127\.0\.0\.1:1; .* \(tried \d+ times in \d\.\d s\)\n$/,
  );
});

test('a refused login is 77', async () => {
  const url = new URL(BROKER.url);
  url.password = 'wrong';
  const result = await batonResult(['run', 'x', '--url', url.href, '--', 'true']);
  expect(result.code).toBe(77);
  expect(result.stderr).toMatch(/refused the login of user/);
});

test('a queue that is not a lock is 76, and is left alone', async () => {
  const lock = await lockName();
  const amqp = await connectAmqp(BROKER.url);
  onTestFinished(() => amqp.close());
  const channel = await amqp.createChannel();
  const queue = lockQueueName('default', lock);
  await channel.assertQueue(queue, { durable: true });
  const result = await batonResult(['run', lock, '--', 'true']);
  expect(result.code).toBe(76);
  expect(result.stderr).toMatch(/is not a lock/);
  expect(await channel.checkQueue(queue)).toMatchObject({ queue });
});

test.each([
  ['no command at all', ['run', 'x'], /put -- before the command: baton run x -- COMMAND/],
  ['a command without dashes', ['run', 'x', 'ls', 'a'], /put -- before the command: baton run x -- ls a\n/],
  ['no lock', ['run', '--', 'true'], /needs the name of a lock/],
  [
    'an unknown flag',
    ['run', 'x', '--frob', '--', 'true'],
    /^baton: there is no option --frob; see baton run --help\n$/,
  ],
  ['--wait and --no-wait', ['run', 'x', '--wait', '1s', '--no-wait', '--', 'true'], /exclude each other/],
  [
    'a time without unit',
    ['run', 'x', '--wait', '30', '--', 'true'],
    /--wait must be a duration such as .*"30"/,
  ],
  [
    'a lease longer than two heartbeats',
    ['run', 'x', '--lease', '20s', '--heartbeat', '10s', '--', 'true'],
    /^baton: --lease must be under twice --heartbeat \(10000\), got 20000\n$/,
  ],
  [
    'a --kill-after that would stop healthy holds',
    ['run', 'x', '--kill-after', '8s', '--', 'true'],
    /--kill-after must be at most .* \(7500ms\), got 8s/,
  ],
  ['an unknown command', ['walk', 'x'], /there is no command "walk"/],
  ['a command that is a name of JavaScript', ['toString'], /there is no command "toString"; there are run,/],
  ['no arguments', [], /which command\?/],
  ['an option without its value', ['ls', '--url'], /^baton: --url needs a value; see baton ls --help\n$/],
  ['a value for a switch', ['ls', '--json=3'], /^baton: --json takes no value; /],
  ['a word too many', ['doctor', 'x'], /^baton: options only, got "x"; see baton doctor --help\n$/],
])('%s is 64', async (_, args, sentence) => {
  const result = await batonResult(args);
  expect(result.code).toBe(64);
  expect(result.stderr).toMatch(sentence);
  expect(result.stdout).toBe('');
});

test('--help lists every exit code, on stdout', async () => {
  const { code, stdout, stderr } = await batonResult(['run', '--help']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  for (const listed of ['64', '69', '70', '75', '76', '77', '79', '126', '127', '128 + n']) {
    expect(stdout).toContain(`\n  ${listed} `);
  }
});
