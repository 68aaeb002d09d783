import { expect, test } from 'vitest';
import { BROKER, baton, batonResult, coordinator, shown, until } from '../support/baton.ts';
import { control, management, namespace } from '../support/queues.ts';

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
}

async function show(ns: string, lock: string): Promise<Details> {
  const { stdout } = await batonResult(['show', lock, '--namespace', ns, '--json', ...management()]);
  return JSON.parse(stdout) as Details;
}

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

test('with slots a lock is found in its slot, and so is whoever holds it there', async () => {
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
