import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { openProxy } from '../../support/proxy.ts';
import { BROKER, baton, batonResult, coordinator, openEnded, shown, until } from '../support/baton.ts';
import { consumersOf, management, namespace, withChannel } from '../support/queues.ts';

/** Its last tick came at the beginning of the year, so it stays the same for as long as a test takes. */
const YEARLY = ['--once-per', '0 0 1 1 *', '--tz', 'UTC'];
const TICK = `${new Date().getUTCFullYear()}-01-01T00:00:00.000Z`;
const SAY = ['--', 'sh', '-c', 'echo ran $BATON_TICK'];
const NOTHING = { code: 0, stdout: '', stderr: '' };

const job = (ns: string, ...flags: string[]) => ['run', 'job', '--namespace', ns, ...YEARLY, ...flags];

test('of three calls for a tick one runs the command, also the first time ever, and the others say nothing', async () => {
  const ns = namespace();
  const results = await Promise.all([1, 2, 3].map(() => batonResult([...job(ns), ...SAY])));
  expect(results.sort((a, b) => a.stdout.length - b.stdout.length)).toEqual([
    NOTHING,
    NOTHING,
    { code: 0, stdout: `ran ${TICK}\n`, stderr: '' },
  ]);
  expect(await batonResult([...job(ns), ...SAY])).toEqual(NOTHING);
  const talking = await batonResult([...job(ns), '--verbose', ...SAY]);
  expect(talking).toMatchObject({ code: 0, stdout: '' });
  expect(talking.stderr).toMatch(/"the tick is done already"/);
});

test('a call that comes while the command runs waits, and finds it done; with --no-wait it is 75', async () => {
  const ns = namespace();
  const work = await openEnded();
  const running = baton([...job(ns), '--', 'sh', '-c', `echo up; ${work.script}`]);
  await shown(running, /up/);
  const waiting = baton([...job(ns), ...SAY]);
  await until(async () => expect(await consumersOf('job', ns)).toBe(2));
  expect((await batonResult([...job(ns, '--no-wait'), ...SAY])).code).toBe(75);
  await work.end();
  expect((await running.exit).code).toBe(0);
  expect((await waiting.exit).code).toBe(0);
  expect([waiting.stdout, waiting.stderr]).toEqual(['', '']);
});

test('a command that fails has not done the tick: its code passes through, and the next call tries again', async () => {
  const ns = namespace();
  expect((await batonResult([...job(ns), '--', 'sh', '-c', 'exit 3'])).code).toBe(3);
  expect((await batonResult([...job(ns), '--', 'sh', '-c', 'kill -9 $$'])).code).toBe(137);
  expect((await batonResult([...job(ns), '--', 'no-such-command'])).code).toBe(127);
  expect((await batonResult([...job(ns), ...SAY])).stdout).toBe(`ran ${TICK}\n`);
  expect(await batonResult([...job(ns), ...SAY])).toEqual(NOTHING);
});

test('when baton run is killed in the middle, the one that waits runs the tick again', async () => {
  const ns = namespace();
  const first = baton([...job(ns), '--', 'sh', '-c', 'echo up; sleep 60']);
  await shown(first, /up/);
  const second = baton([...job(ns), ...SAY]);
  await until(async () => expect(await consumersOf('job', ns)).toBe(2));
  first.signal('SIGKILL');
  expect((await second.exit).code).toBe(0);
  expect(second.stdout).toBe(`ran ${TICK}\n`);
});

test('and with --at-most-once it does not', async () => {
  const ns = namespace();
  const once = ['run', 'job', '--namespace', ns, '--once-per', '* * * * * *', '--at-most-once'];
  const begun = await batonResult([...once, ...SAY]);
  expect(begun).toMatchObject({ code: 0, stdout: '' });
  expect(begun.stderr).toMatch(/^baton: nothing is remembered of "job": it is new, or its memory was lost\./);
  await pause(1_100); // until the next tick has come
  const first = baton([...once, '--', 'sh', '-c', 'echo "tick $BATON_TICK"; sleep 60']);
  const [, tick] = await shown(first, /tick (\S+)/);
  first.signal('SIGKILL');
  const next = await until(async () => {
    const { stdout } = await batonResult([...once, ...SAY]);
    expect(stdout).toMatch(/ran/);
    return stdout;
  });
  expect(Date.parse(next.slice(4).trim())).toBeGreaterThan(Date.parse(tick ?? ''));
});

test('a tick whose lock is lost in the middle is not done', async () => {
  const ns = namespace();
  const first = baton([...job(ns), '--', 'sh', '-c', 'echo up; sleep 60']);
  await shown(first, /up/);
  await withChannel((channel) => channel.deleteQueue(`baton.${ns}.lock.job`));
  expect((await first.exit).code).toBe(79);
  expect(first.stderr).toMatch(/^baton: lost lock .*; the command was killed\n$/);
  expect((await batonResult([...job(ns), ...SAY])).stdout).toBe(`ran ${TICK}\n`);
});

test('a success that cannot be recorded is told, and is none', async () => {
  const proxy = await openProxy(BROKER.url);
  onTestFinished(() => proxy.close());
  const ns = namespace();
  const work = await openEnded();
  const lease = ['--heartbeat', '4s', '--lease', '6s', '--verify-every', '1s', '--kill-after', '500ms'];
  const command = ['--url', proxy.url, ...lease, '--', 'sh', '-c', `echo up; ${work.script}`];
  const run = baton([...job(ns), ...command]);
  await shown(run, /up/);
  proxy.freeze();
  await work.end();
  const { code } = await run.exit;
  expect([69, 79]).toContain(code); // whichever is over first: the patience with the broker, or the lease
  expect(run.stderr).toMatch(
    /^baton: the end of the run was not recorded: (?:the save to )?(?:lost )?lock "job"/,
  );
  expect((await batonResult([...job(ns), ...SAY])).stdout).toBe(`ran ${TICK}\n`);
});

test('a duration counts from the start of the last run', async () => {
  const ns = namespace();
  const every = (time: string) => ['run', 'job', '--namespace', ns, '--once-per', time, '--', 'echo', 'ran'];
  expect((await batonResult(every('1d'))).stdout).toBe('ran\n');
  expect(await batonResult(every('1d'))).toEqual(NOTHING);
  await until(async () => expect((await batonResult(every('1s'))).stdout).toBe('ran\n'));
});

test('a lock with some other state is 76, and its state is left alone', async () => {
  const ns = namespace();
  const other = await coordinator({ namespace: ns });
  const lock = other.lock('job', { state: z.object({ cursor: z.number() }) });
  await lock.run((lease) => lease.save({ cursor: 7 }));
  const { code, stderr } = await batonResult([...job(ns), ...SAY]);
  expect(code).toBe(76);
  expect(stderr).toMatch(/does not fit its schema/);
  expect(await lock.run(({ state }) => state)).toEqual({ cursor: 7 });
});

test.each([
  ['no expression', ['--once-per', 'often'], /^baton: --once-per must be a cron expression or a duration/],
  [
    'an unknown zone',
    ['--once-per', '0 3 * * *', '--tz', 'Mars'],
    /^baton: --tz must be the IANA name of a time zone such as Europe\/Berlin, got "Mars"\n$/,
  ],
  ['a zone for a duration', ['--once-per', '1d', '--tz', 'UTC'], /^baton: --tz is for cron expressions/],
  ['a zone alone', ['--tz', 'UTC'], /^baton: --tz is for --once-per, which was not given\n$/],
  ['semantics alone', ['--at-most-once'], /^baton: --at-most-once is for --once-per/],
  ['both semantics', ['--once-per', '1d', '--at-most-once', '--at-least-once'], /exclude each other/],
  ['slots', ['--once-per', '1d', '--slots', '8'], /--once-per and --slots exclude each other/],
  ['an idle expiry', ['--once-per', '1d', '--idle-expiry', '1h'], /--once-per and --idle-expiry exclude/],
])('%s is 64', async (_, flags, sentence) => {
  const { code, stderr } = await batonResult(['run', 'x', ...flags, '--', 'true']);
  expect(stderr).toMatch(sentence);
  expect(code).toBe(64);
});

test('a job that was done far ahead of the clock says so, in show as well, and runs when its record is mended', async () => {
  const ns = namespace();
  const lock = (await coordinator({ namespace: ns })).lock('job', { state: z.unknown() });
  const remember = async (done: number) => (await lock.acquire()).release({ state: { v: 1, done } });
  const now = Date.now();
  await remember(now + 400 * 86_400_000 + 60_000);
  const minutely = ['run', 'job', '--namespace', ns, '--once-per', '* * * * *', '--', 'echo', 'ran'];
  const { code, stdout, stderr } = await batonResult(minutely);
  expect([code, stdout]).toEqual([0, '']);
  expect(stderr).toMatch(
    /^baton: "job" is recorded as done up to .*Z, in 400 d, ahead of this machine's clock/,
  );
  const shown = await batonResult(['show', 'job', '--namespace', ns]);
  expect(shown.stdout).toMatch(/^done up to: +\S+ \S+Z, in 400 d: a clock was wrong/m);
  const examine = ['doctor', '--namespace', ns, ...management(), '--jobs'];
  const ahead = await batonResult(examine);
  expect(ahead.stdout).toMatch(
    /^warning +jobs +job "job" is recorded as done ahead of this machine's clock/m,
  );
  expect(ahead.code).toBe(1);
  await remember(now - 120_000);
  expect(await batonResult(minutely)).toEqual({ code: 0, stdout: 'ran\n', stderr: '' });
  expect((await batonResult(examine)).stdout).toMatch(/^ok +jobs +1 of the free jobs read, none done ahead/m);
});
