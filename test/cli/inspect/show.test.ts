import { once } from 'node:events';
import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { RunReport } from '../../../src/index.ts';
import { BROKER, baton, batonResult, coordinator, openEnded, shown, until } from '../support/baton.ts';
import { control, management, namespace, queueExists } from '../support/queues.ts';

interface Person {
  readonly service: string;
  readonly pid: number;
  readonly label: string | null;
  readonly inLineSince: string | null;
  readonly connectedSince: string | null;
}

interface Details {
  readonly state: string;
  readonly holder: (Person & { readonly heldSince: string | null; readonly fence: string | null }) | null;
  readonly waiters: readonly Person[];
  readonly job: {
    readonly lastRun: { readonly startedAt: string; readonly tookMs: number | null } | null;
  } | null;
}

async function show(ns: string, lock: string): Promise<Details> {
  const { stdout } = await batonResult(['show', lock, '--namespace', ns, '--json', ...management()]);
  return JSON.parse(stdout) as Details;
}

/** Right after its release a lock can still show as held, and of one that is held nobody can read the job. */
const jobOf = (ns: string, lock: string): Promise<NonNullable<Details['job']>> =>
  until(async () => {
    const { job, state } = await show(ns, lock);
    if (job === null) throw new Error(`no job is shown of ${lock}, which is ${state}`);
    return job;
  });

test('shows the holder with label, since when and fence, and the waiters in order', async () => {
  const ns = namespace();
  const command = ['--namespace', ns, '--', 'sh', '-c'];
  const holder = baton(['run', 'x', '--label', 'nightly dump', ...command, 'echo $BATON_FENCE; sleep 60']);
  const [fence] = await shown(holder, /\d{16,}/);
  const waiters = [];
  for (const label of ['first', 'second', 'third']) {
    waiters.push(baton(['run', 'x', '--service', 'cron', '--label', label, ...command, 'true']));
    await until(async () => expect((await show(ns, 'x')).waiters).toHaveLength(waiters.length));
  }
  const details = await until(async () => {
    const now = await show(ns, 'x');
    expect(now.holder?.heldSince).toEqual(expect.any(String));
    return now;
  });
  expect(details.holder).toMatchObject({ service: 'baton', pid: holder.pid, label: 'nightly dump', fence });
  expect(details.waiters.map(({ service, label, pid }) => [service, label, pid])).toEqual([
    ['cron', 'first', waiters[0]?.pid],
    ['cron', 'second', waiters[1]?.pid],
    ['cron', 'third', waiters[2]?.pid],
  ]);
  const times = details.waiters.map(({ inLineSince }) => Date.parse(inLineSince ?? ''));
  expect(times).toEqual([...times].sort((a, b) => a - b));
  const { stdout } = await batonResult(['show', 'x', '--namespace', ns, ...management()]);
  expect(stdout).toMatch(
    new RegExp(
      [
        `^lock: +x\nqueue: +baton\\.${ns}\\.lock\\.x\nstate: +held\nholder: +baton@\\S+/${holder.pid}\nlabel: +nightly dump\n`,
        `connection: .*\nin line since: .* s\nheld since: .* s\nfence: +${fence}\n\n#  WAITER .*\n1  cron@\\S+ +first .*\n2 .* second .*\n3 .* third `,
      ].join(''),
    ),
  );
});

test('a lock that nobody has used is told apart by its exit code', async () => {
  const { code, stdout } = await batonResult(['show', 'never', '--namespace', namespace(), ...management()]);
  expect(code).toBe(1);
  expect(stdout).toMatch(/state: +absent: nobody has used it yet, or it was deleted\n/);
});

test('without the management API it still tells held from free, and why it tells no more', async () => {
  const ns = namespace();
  const it = await coordinator({ namespace: ns });
  const lease = await it.lock('x').acquire();
  const nowhere = ['show', 'x', '--namespace', ns, '--management-url', 'http://127.0.0.1:1'];
  const held = await batonResult(nowhere);
  expect(held.code).toBe(0);
  expect(held.stdout).toMatch(/state: +held\nholder: +unknown\n/);
  expect(held.stderr).toMatch(
    /^baton: holder and waiters are unknown: the management API does not answer at /,
  );
  await lease.release();
  await until(async () => expect((await batonResult(nowhere)).stdout).toMatch(/state: +free\n/));
});

test('a holder that may not put up a notice holds all the same, and shows without since when', async () => {
  const ns = namespace();
  const maker = await coordinator({ namespace: ns });
  await (await maker.lock('x').acquire()).release();
  await control().addUser('cli-reader', 'secret', { configure: '^$', write: '^$', read: '^baton\\.' });
  const { host } = new URL(BROKER.url);
  const run = baton([
    ...['run', 'x', '--namespace', ns, '--url', `amqp://cli-reader:secret@${host}`],
    ...['--', 'sh', '-c', 'echo up; sleep 60'],
  ]);
  await shown(run, /up/);
  const details = await until(async () => {
    const now = await show(ns, 'x');
    expect(now.holder).not.toBeNull();
    return now;
  });
  expect(details.holder).toMatchObject({ pid: run.pid, heldSince: null, fence: null });
  expect(details.holder?.inLineSince).toEqual(expect.any(String));
  run.signal('SIGTERM');
  expect((await run.exit).code).toBe(143);
});

test('with slots a lock is found in its slot, and so is anybody who holds it there', async () => {
  const ns = namespace();
  const slots = ['--slots', '1'];
  const holder = baton(['run', 'x', '--namespace', ns, ...slots, '--', 'sh', '-c', 'echo held; sleep 60']);
  await shown(holder, /held/);
  const { stdout: other } = await batonResult(['show', 'x', '--namespace', ns, '--json', ...management()]);
  expect(JSON.parse(other)).toMatchObject({ lock: 'x', state: 'absent' });
  await until(async () => {
    for (const command of ['show', 'ls']) {
      const { stdout } = await batonResult([
        ...[command, 'x', '--namespace', ns, '--json'],
        ...slots,
        ...management(),
      ]);
      const found = JSON.parse(stdout) as { locks?: unknown[] };
      expect(found.locks?.[0] ?? found).toMatchObject({
        lock: 'x',
        queue: `baton.${ns}.slot.0-of-1`,
        state: 'held',
        holder: { pid: holder.pid },
      });
    }
  });
});

describe('the last run of a job', () => {
  const YEARLY = ['--once-per', '0 0 1 1 *', '--tz', 'UTC'];
  const TICK = `${new Date().getUTCFullYear()}-01-01T00:00:00.000Z`;

  test('is shown with who, when, how long and exit code, and is of the state of the lock', async () => {
    const ns = namespace();
    const once = ['run', 'job', '--namespace', ns, '--service', 'cron', ...YEARLY, '--', 'sh', '-c'];
    const failed = baton([...once, 'exit 3']);
    expect((await failed.exit).code).toBe(3);
    expect(await jobOf(ns, 'job')).toMatchObject({
      lastRun: { by: `cron@${hostname()}/${failed.pid}`, outcome: 'failed', exitCode: 3, signal: null },
    });
    const killed = baton([...once, 'kill -9 $$']);
    expect((await killed.exit).code).toBe(137);
    expect((await jobOf(ns, 'job')).lastRun).toMatchObject({ exitCode: 137, signal: 'SIGKILL' });
    const before = Date.now();
    const done = baton([...once, 'echo $BATON_FENCE; sleep 1']);
    const [fence] = await shown(done, /\d{16,}/);
    await done.exit;
    const job = await jobOf(ns, 'job');
    expect(job).toEqual({
      doneUpTo: TICK,
      lastRun: {
        tick: TICK,
        by: `cron@${hostname()}/${done.pid}`,
        fence,
        startedAt: expect.any(String),
        tookMs: expect.any(Number),
        outcome: 'done',
        exitCode: 0,
        signal: null,
      },
    });
    expect(Date.parse(job.lastRun?.startedAt ?? '')).toBeGreaterThanOrEqual(before);
    expect(job.lastRun?.tookMs).toBeGreaterThanOrEqual(1_000);
    await until(async () => {
      const { stdout } = await batonResult(['show', 'job', '--namespace', ns, ...management()]);
      expect(stdout).toMatch(
        new RegExp(
          `state: +free\nlast run: +\\S+ \\S+Z, \\d+ s\nrun by: +cron@\\S+/${done.pid}\nrun took: +\\d\\.\\d s\nrun ended: +done, exit code 0\nfor tick: +${TICK.slice(0, 10)} 00:00:00Z, .*\ndone up to: +${TICK.slice(0, 10)} 00:00:00Z, `,
        ),
      );
    });
  });

  test('of baton.schedule is shown in the same way', async () => {
    const ns = namespace();
    const it = await coordinator({ namespace: ns, service: 'billing' });
    const schedule = it.schedule('job', '* * * * * *', () => undefined);
    const [{ tick, fence }] = (await once(schedule, 'done')) as [RunReport];
    await schedule.stop();
    expect(await jobOf(ns, 'job')).toMatchObject({
      lastRun: {
        tick: tick.toISOString(),
        by: `billing@${hostname()}/${process.pid}`,
        fence: String(fence),
        outcome: 'done',
        exitCode: null,
      },
    });
  });

  test('that was killed with --at-most-once has no end', async () => {
    const ns = namespace();
    const every = ['run', 'job', '--namespace', ns, '--once-per', '1s', '--at-most-once', '--', 'sh', '-c'];
    await batonResult([...every, 'true']); // begins to remember
    const run = await until(async () => {
      const started = baton([...every, 'echo up; sleep 60']);
      await Promise.race([started.exit, shown(started, /up/)]);
      expect(started.stdout).toBe('up\n');
      return started;
    });
    run.signal('SIGKILL');
    await until(async () =>
      expect((await jobOf(ns, 'job')).lastRun).toMatchObject({ outcome: 'started', tookMs: null }),
    );
    const { stdout } = await batonResult(['show', 'job', '--namespace', ns, ...management()]);
    expect(stdout).toMatch(/run ended: +nobody has told: its worker died, or lost the lock\n/);
  });

  test('is not asked for while the lock is held, and neither holder nor waiters notice', async () => {
    const ns = namespace();
    const once = ['run', 'job', '--namespace', ns, ...YEARLY, '--', 'sh', '-c'];
    const work = await openEnded();
    const holder = baton([...once, `echo up; ${work.script}; exit 1`]);
    await shown(holder, /up/);
    const waiter = baton([...once, 'echo ran']);
    for (let look = 0; look < 3; look += 1) {
      const { stdout } = await batonResult(['show', 'job', '--namespace', ns, ...management()]);
      expect(stdout).toMatch(/state: +held\n/);
      expect(stdout).toMatch(/last run: +unknown: its holder has the record\n/);
    }
    await work.end();
    expect((await holder.exit).code).toBe(1);
    expect((await waiter.exit).code).toBe(0);
    expect(waiter.stdout).toBe('ran\n');
    expect(await jobOf(ns, 'job')).toMatchObject({ lastRun: { outcome: 'done' } });
  });

  test('is null of a lock that is for no job, and no state is made for it', async () => {
    const ns = namespace();
    const it = await coordinator({ namespace: ns });
    await it.lock('plain').run(() => undefined);
    expect((await show(ns, 'plain')).job).toBeNull();
    const state = `baton.${ns}.state.plain`;
    expect(await queueExists(state)).toBe(false);
    const cursor = it.lock('import', { state: z.object({ cursor: z.number() }) });
    await cursor.run((lease) => lease.save({ cursor: 7 }));
    expect(await queueExists(`baton.${ns}.state.import`)).toBe(true);
    expect((await show(ns, 'import')).job).toBeNull();
    expect(await cursor.run((lease) => lease.state)).toEqual({ cursor: 7 });
  });
});
