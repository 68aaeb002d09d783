import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { Program } from '../../support/processes.ts';
import { openProxy } from '../../support/proxy.ts';
import { type BatonOptions, BROKER, baton, coordinator, lockName, until } from '../support/baton.ts';
import { consumersOf, control, management, namespace } from '../support/queues.ts';

const TALKING: BatonOptions = { env: { BATON_QUIET: undefined } };
const TRUE = ['--', 'true'];

const said = (run: Program, pattern: RegExp) => until(() => expect(run.stderr).toMatch(pattern));

test('after 2 s a wait says who holds the lock since when, and again when it is somebody else', async () => {
  const lock = await lockName();
  const [one, two] = [await coordinator({ service: 'one' }), await coordinator({ service: 'two' })];
  const lease = await one.lock(lock).acquire();
  const next = two.lock(lock).acquire();
  await until(async () => expect(await consumersOf(lock)).toBe(2));
  const run = baton(['run', lock, ...management(), ...TRUE], TALKING);
  await said(run, /: one@\S+ holds it since (?:after )?\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ, \d+ s$/m);
  await lease.release();
  await said(run, /: two@\S+ holds it since (?:after )?\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ, \d+ s$/m);
  await (await next).release();
  expect((await run.exit).code).toBe(0);
  const lines = run.stderr.trim().split('\n');
  expect(lines.every((line) => line.startsWith(`baton: waiting for lock "${lock}": `))).toBe(true);
  expect(new Set(lines).size).toBe(lines.length);
}, 120_000);

test('a wait of which the management API tells nothing says so, once', async () => {
  const lock = await lockName();
  const lease = await (await coordinator()).lock(lock).acquire();
  const run = baton(['run', lock, '--management-url', 'http://127.0.0.1:1', ...TRUE], TALKING);
  await said(run, /./);
  await pause(6_000); // longer than the shortest time between two lines
  await lease.release();
  expect((await run.exit).code).toBe(0);
  expect(run.stderr).toBe(`baton: waiting for lock "${lock}": who holds it is not known\n`);
});

test.each([
  ['with --quiet', ['--quiet'], TALKING],
  ['with BATON_QUIET', [], { env: { BATON_QUIET: '1' } }],
  ['with --once-per, for the sake of crontabs', ['--once-per', '0 0 1 1 *'], TALKING],
])('%s a wait says nothing', async (_, flags, options) => {
  const ns = namespace();
  const lease = await (await coordinator({ namespace: ns })).lock('job').acquire();
  const run = baton(['run', 'job', '--namespace', ns, ...management(), ...flags, ...TRUE], options);
  await until(async () => expect(await consumersOf('job', ns)).toBe(2));
  await pause(3_000); // it would have spoken after two
  await lease.release();
  expect((await run.exit).code).toBe(0);
  expect(run.stderr).toBe('');
});

test('a wait for a broker that does not answer says so', async () => {
  const proxy = await openProxy(BROKER.url);
  onTestFinished(() => proxy.close());
  proxy.freeze();
  const run = baton(['run', 'x', '--url', proxy.url, ...TRUE], TALKING);
  await said(run, /^baton: waiting for lock "x": no broker has answered yet\n$/);
});

test('a wait whose connection is lost says so', async () => {
  const proxy = await openProxy(BROKER.url);
  onTestFinished(() => proxy.close());
  const lock = await lockName();
  await (await coordinator()).lock(lock).acquire();
  const run = baton(['run', lock, '--url', proxy.url, ...management(), ...TRUE], TALKING);
  await until(async () => expect(await consumersOf(lock)).toBe(2));
  proxy.refuse();
  proxy.reset();
  await said(run, /: the connection to the broker is lost; connecting again$/m);
});

test('a wait in an alarm says so', async () => {
  const run = await (async () => {
    const lock = await lockName();
    await control().raiseMemoryAlarm();
    onTestFinished(() => control().clearMemoryAlarm());
    return baton(['run', lock, ...management(), ...TRUE], TALKING);
  })();
  await said(run, /: the broker has an alarm, memory or disk, and takes no messages until that is over$/m);
  await control().clearMemoryAlarm();
  expect((await run.exit).code).toBe(0);
});
