import { expect, onTestFinished, test } from 'vitest';
import { type FaultProxy, openProxy } from '../../support/proxy.ts';
import { BROKER, baton, isAlive, lockName, shown, until } from '../support/baton.ts';

const LEASE_MS = 3_000;
const VERIFY_MS = 1_000;
const KILL_AFTER_MS = 1_000;
const QUICK = ['--heartbeat', '2s', '--lease', '3s', '--verify-every', '1s', '--kill-after', '1s'];
/** For a busy machine. */
const SLACK_MS = 500;

/** Ignores what can be ignored, has a child that does too, and tells when it is asked to stop. */
const STUBBORN = `trap '' TERM INT HUP; (while :; do sleep 0.05; done) &
  trap 'echo asked' TERM; echo pids $$ $!
  while :; do sleep 0.05; done`;
/** Of `baton run` itself, for a command that wants to stop it: the guard is between the two. */
const BATON_PID = '$(ps -o ppid= -p $PPID)';

async function proxied(): Promise<FaultProxy> {
  const proxy = await openProxy(BROKER.url);
  onTestFinished(() => proxy.close());
  return proxy;
}

/** When the group was asked to stop, and when it was dead; milliseconds after `since`. */
async function watchEnd(run: ReturnType<typeof baton>, pids: readonly number[], since: number) {
  await shown(run, /asked/);
  const askedMs = performance.now() - since;
  await until(() => expect(pids.map(isAlive)).toEqual([false, false]));
  return { askedMs, deadMs: performance.now() - since };
}

function expectInTime({ askedMs, deadMs }: { askedMs: number; deadMs: number }): void {
  // The last proof is at most one verification old; what came before is a healthy hold.
  expect(askedMs).toBeGreaterThan(LEASE_MS - VERIFY_MS - KILL_AFTER_MS - SLACK_MS);
  expect(askedMs).toBeLessThan(LEASE_MS - KILL_AFTER_MS + SLACK_MS);
  expect(deadMs - askedMs).toBeGreaterThan(KILL_AFTER_MS - SLACK_MS);
  expect(deadMs).toBeLessThan(LEASE_MS + SLACK_MS);
}

test('on a line gone silent the group is asked to stop --kill-after before the lease ends, and dead when it ends', async () => {
  const proxy = await proxied();
  const run = baton(['run', await lockName(), '--url', proxy.url, ...QUICK, '--', 'bash', '-c', STUBBORN]);
  const [, ...pids] = await shown(run, /pids (\d+) (\d+)/);
  const at = performance.now();
  proxy.freeze();
  expectInTime(await watchEnd(run, pids.map(Number), at));
  expect((await run.exit).code).toBe(79);
  expect(run.stderr).toMatch(
    /did not confirm the hold .*\(verification-timeout\); the command was killed\n$/,
  );
});

test('a stopped baton run does not keep its command alive: the guard ends it by its own clock', async () => {
  const run = baton(['run', await lockName(), ...QUICK, '--', 'bash', '-c', STUBBORN]);
  const [, ...pids] = await shown(run, /pids (\d+) (\d+)/);
  const at = performance.now();
  run.stop();
  expectInTime(await watchEnd(run, pids.map(Number), at));
  run.cont();
  expect((await run.exit).code).toBe(79);
});

test('a command that obeys SIGTERM has --kill-after for its farewell, and baton still ends with 79', async () => {
  const proxy = await proxied();
  const script = `trap 'echo asked; sleep 0.3; echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done`;
  const run = baton(['run', await lockName(), '--url', proxy.url, ...QUICK, '--', 'sh', '-c', script]);
  await shown(run, /up/);
  proxy.freeze();
  await shown(run, /asked\nbye/);
  proxy.thaw();
  expect((await run.exit).code).toBe(79);
});

test('once told to stop the group is killed at the time it was given, although the broker answers again', async () => {
  const proxy = await proxied();
  const run = baton(['run', await lockName(), '--url', proxy.url, ...QUICK, '--', 'bash', '-c', STUBBORN]);
  const [, ...pids] = await shown(run, /pids (\d+) (\d+)/);
  proxy.freeze();
  await shown(run, /asked/);
  const askedAt = performance.now();
  proxy.thaw();
  await until(() => expect(pids.map(Number).map(isAlive)).toEqual([false, false]));
  expect(performance.now() - askedAt).toBeLessThan(KILL_AFTER_MS + SLACK_MS);
  expect((await run.exit).code).toBe(79);
  // The shell may say "Terminated" of its own children first.
  expect(run.stderr).toMatch(/^baton: the hold could not be proven in time; the command was stopped\n$/m);
});

test('with its connection the lease is lost at once, and so is the group', async () => {
  const proxy = await proxied();
  const run = baton(['run', await lockName(), '--url', proxy.url, '--', 'bash', '-c', STUBBORN]);
  const [, ...pids] = await shown(run, /pids (\d+) (\d+)/);
  const at = performance.now();
  proxy.reset();
  await until(() => expect(pids.map(Number).map(isAlive)).toEqual([false, false]));
  expect(performance.now() - at).toBeLessThan(1_000);
  expect((await run.exit).code).toBe(79);
  expect(run.stdout).not.toContain('asked');
  expect(run.stderr).toMatch(/\(connection-closed\); the command was killed\n$/);
});

test('a healthy hold goes on over many leases', async () => {
  const run = baton([
    'run',
    await lockName(),
    ...['--heartbeat', '2s', '--lease', '2s', '--verify-every', '400ms', '--kill-after', '500ms'],
    ...['--', 'sleep', '7'],
  ]);
  expect((await run.exit).code).toBe(0);
  expect(run.stderr).toBe('');
});

test.each([
  ['success', 0, 79],
  ['failure', 9, 9],
])(
  'a %s of the command under a lease that nobody could vouch for is %i, and shows as %i',
  async (_, own, shownAs) => {
    const script = `kill -STOP ${BATON_PID}; echo stopped; exit ${own}`;
    const run = baton(['run', await lockName(), ...QUICK, '--', 'sh', '-c', script]);
    await shown(run, /stopped/);
    const stoppedAt = performance.now();
    await until(() => expect(performance.now() - stoppedAt).toBeGreaterThan(LEASE_MS));
    run.cont();
    expect((await run.exit).code).toBe(shownAs);
    expect(run.stderr).toMatch(/^baton: lost lock "[^"]+": .* \(verification-timeout\)\n$/);
  },
);
