import { expect, test } from 'vitest';
import { openProxy } from '../../support/proxy.ts';
import { BROKER, baton, coordinator, lockName, shown, until } from '../support/baton.ts';
import { consumersOf } from '../support/queues.ts';

/** Less than any wait that it could be mistaken for, and enough for a busy machine. */
const SOON_MS = 4_000;

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
  ['SIGQUIT', 131],
] as const)('%s ends a wait at once, and leaves no waiter behind', async (signal, code) => {
  const lock = await lockName();
  const holder = await coordinator();
  await holder.lock(lock).acquire();
  const run = baton(['run', lock, '--', 'echo', 'ran']);
  await until(async () => expect(await consumersOf(lock)).toBe(2));
  const at = performance.now();
  run.signal(signal);
  const exit = await run.exit;
  expect(performance.now() - at).toBeLessThan(SOON_MS);
  expect({ exit, stdout: run.stdout, stderr: run.stderr }).toEqual({
    exit: { code, signal: null },
    stdout: '',
    stderr: '',
  });
  await until(async () => expect(await consumersOf(lock)).toBe(1));
});

test('Ctrl-C ends a wait for a broker that does not answer', async () => {
  const proxy = await openProxy(BROKER.url);
  proxy.freeze();
  try {
    const run = baton(['run', 'x', '--url', proxy.url, '--', 'true']);
    await until(() => expect(proxy.openConnections).toBe(1));
    const at = performance.now();
    run.signal('SIGINT');
    expect((await run.exit).code).toBe(130);
    expect(performance.now() - at).toBeLessThan(SOON_MS);
  } finally {
    await proxy.close();
  }
});

test('a second Ctrl-C does not wait for the farewell', async () => {
  const proxy = await openProxy(BROKER.url);
  try {
    const lock = await lockName();
    const holder = await coordinator();
    await holder.lock(lock).acquire();
    const run = baton(['run', lock, '--url', proxy.url, '--', 'true']);
    await until(async () => expect(await consumersOf(lock)).toBe(2));
    proxy.freeze();
    run.signal('SIGINT');
    const ended = await Promise.race([
      run.exit,
      new Promise((resolve) => setTimeout(resolve, 200, 'still there')),
    ]);
    expect(ended).toBe('still there');
    const at = performance.now();
    run.signal('SIGINT');
    expect((await run.exit).code).toBe(130);
    expect(performance.now() - at).toBeLessThan(500);
  } finally {
    await proxy.close();
  }
});

test('waits without end by default, and runs when the lock is free', async () => {
  const lock = await lockName();
  const holder = await coordinator();
  const lease = await holder.lock(lock).acquire();
  const run = baton(['run', lock, '--', 'echo', 'ran']);
  await until(async () => expect(await consumersOf(lock)).toBe(2));
  expect(run.stdout).toBe('');
  await lease.release();
  expect((await run.exit).code).toBe(0);
  expect(run.stdout).toBe('ran\n');
});

test('waiting runs are served in the order in which they came', async () => {
  const lock = await lockName();
  const holder = await coordinator();
  const lease = await holder.lock(lock).acquire();
  const fences: bigint[] = [];
  const runs = [];
  for (const place of [2, 3, 4]) {
    runs.push(baton(['run', lock, '--', 'sh', '-c', 'echo fence $BATON_FENCE']));
    await until(async () => expect(await consumersOf(lock)).toBe(place));
  }
  await lease.release();
  for (const run of runs) fences.push(BigInt((await shown(run, /fence (\d+)/))[1] ?? 0));
  expect(fences).toEqual([...fences].sort((a, b) => Number(a - b)));
});
