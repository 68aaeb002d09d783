import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import type { Lease } from '../../../src/index.ts';
import { BROKER, baton, batonResult, coordinator, shown, until } from '../support/baton.ts';
import { control, management, namespace } from '../support/queues.ts';

interface Listing {
  readonly namespace: string;
  readonly management: boolean;
  readonly locks: readonly {
    readonly lock: string;
    readonly state: string;
    readonly holder: {
      readonly heldSince: string | null;
      readonly fence: string | null;
      readonly pid: number;
    } | null;
    readonly waiters: readonly { readonly service: string }[] | null;
  }[];
}

async function list(ns: string, ...args: string[]): Promise<Listing> {
  const { code, stdout, stderr } = await batonResult([
    'ls',
    '--namespace',
    ns,
    '--json',
    ...management(),
    ...args,
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Listing;
}

const heldSince = (listing: Listing) => listing.locks.map(({ holder }) => holder?.heldSince ?? null);

test('lists every lock of the namespace and no other: held or free, holder, since when, fence, waiters', async () => {
  const ns = namespace();
  const one = await coordinator({ namespace: ns, service: 'billing' });
  const two = await coordinator({ namespace: ns, service: 'shipping' });
  const elsewhere = await coordinator({ namespace: namespace() });
  const held = await one.lock('invoice:42').acquire();
  const grantedAt = Date.now();
  await (await two.lock('a b').acquire()).release();
  await elsewhere.lock('other').acquire();
  const waiting = two.lock('invoice:42').acquire();
  const listing = await until(async () => {
    const now = await list(ns);
    expect(heldSince(now)).toEqual([null, expect.any(String)]);
    expect(now.locks[1]?.waiters).toHaveLength(1);
    return now;
  });
  expect(listing).toEqual({
    namespace: ns,
    management: true,
    locks: [
      {
        lock: 'a b',
        queue: `baton.${ns}.lock.a%20b`,
        state: 'free',
        problem: null,
        holder: null,
        waiters: [],
      },
      {
        lock: 'invoice:42',
        queue: `baton.${ns}.lock.invoice:42`,
        state: 'held',
        problem: null,
        holder: {
          ...person('billing'),
          heldSince: expect.any(String),
          fence: String(held.fence),
        },
        waiters: [person('shipping')],
      },
    ],
  });
  const since = Date.parse(heldSince(listing)[1] ?? '');
  expect(Math.abs(since - grantedAt)).toBeLessThan(1_000);
  await held.release();
  await (await waiting).release();
});

const person = (service: string) => ({
  service,
  host: hostname(),
  pid: process.pid,
  lock: 'invoice:42',
  inLineSince: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
  consumerTag: expect.stringContaining(`${service}@`),
  connection: expect.stringContaining('->'),
});

test('of a slot the names that are held and waited for are shown, and what ls has printed is accepted', async () => {
  const ns = namespace();
  const it = await coordinator({ namespace: ns, service: 'billing', slots: 1 });
  await it.lock('invoice:42').acquire();
  void it
    .lock(`report ${'語'.repeat(40)}`)
    .acquire()
    .catch(() => {});
  const slot = `baton.${ns}.slot.0-of-1`;
  const flags = ['--namespace', ns, ...management()];
  await until(async () => {
    const { stdout } = await batonResult(['ls', ...flags]);
    expect(stdout).toMatch(new RegExp(`\n${slot} +held +billing@\\S+/${process.pid} for invoice:42 .* 1\n$`));
  });
  const text = await until(async () => {
    const { code, stdout } = await batonResult(['show', '0-of-1', ...flags]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/\n1 +billing@\S+ for report 語+… /);
    return stdout;
  });
  expect(text).toMatch(/^holder: {8}billing@\S+ for invoice:42$/m);
  const byQueue = await batonResult(['ls', slot, '--json', ...flags]);
  expect(JSON.parse(byQueue.stdout)).toMatchObject({ locks: [{ lock: slot, state: 'held' }] });
});

test('a lock whose name looks like what ls prints is that lock', async () => {
  const ns = namespace();
  const it = await coordinator({ namespace: ns });
  for (const name of ['x', '0-of-1', `baton.${ns}.lock.x`]) await it.lock(name).acquire();
  const { stdout } = await batonResult([
    'ls',
    '0-of-1',
    `baton.${ns}.lock.x`,
    '--json',
    '--namespace',
    ns,
    ...management(),
  ]);
  const { locks } = JSON.parse(stdout) as { locks: { queue: string }[] };
  expect(locks.map(({ queue }) => queue)).toEqual([
    `baton.${ns}.lock.0-of-1`,
    `baton.${ns}.lock.baton.${ns}.lock.x`,
  ]);
});

test('is a table for people, with a dash where there is nobody', async () => {
  const ns = namespace();
  const it = await coordinator({ namespace: ns });
  await (await it.lock('quiet').acquire()).release();
  const { stdout } = await batonResult(['ls', '--namespace', ns, ...management()]);
  expect(stdout).toBe(
    'LOCK   STATE  HOLDER  HELD SINCE  FENCE  WAITERS\nquiet  free   -       -           -      0\n',
  );
});

test('a hold that was released tells nothing any more, and is not taken for the next one of the same process', async () => {
  const ns = namespace();
  const it = await coordinator({ namespace: ns });
  const leases: Lease[] = [await it.lock('a').acquire(), await it.lock('b').acquire()];
  await until(async () =>
    expect(heldSince(await list(ns))).toEqual([expect.any(String), expect.any(String)]),
  );
  await leases[0]?.release();
  const next = await it.lock('a').acquire();
  await until(async () => {
    const [a] = (await list(ns)).locks;
    expect(a?.holder?.fence).toBe(String(next.fence));
  });
});

test('--watch lists again and again', async () => {
  const ns = namespace();
  const it = await coordinator({ namespace: ns });
  const lease = await it.lock('a').acquire();
  const watching = baton(['ls', '--namespace', ns, '--watch', '--json', ...management()]);
  await shown(watching, /"state":"held".*\n/);
  await lease.release();
  await shown(watching, /"state":"held".*\n(?:.*\n)*.*"state":"free"/);
});

test('without the management API it says how to get it, and looks at locks that are named', async () => {
  const ns = namespace();
  const it = await coordinator({ namespace: ns });
  await it.lock('held').acquire();
  await (await it.lock('free').acquire()).release();
  const nowhere = ['--namespace', ns, '--management-url', 'http://127.0.0.1:1'];
  const all = await batonResult(['ls', ...nowhere]);
  expect(all).toMatchObject({ code: 69, stdout: '' });
  expect(all.stderr).toMatch(
    /does not answer at 127\.0\.0\.1:1 \(ECONNREFUSED\): enable it with "rabbitmq-plugins enable/,
  );
  const named = await batonResult(['ls', 'held', 'free', 'never', ...nowhere, '--json']);
  expect(named.code).toBe(0);
  expect(named.stderr).toMatch(/^baton: holders and waiters are unknown: /);
  const { locks, management: told } = JSON.parse(named.stdout) as Listing;
  expect(told).toBe(false);
  expect(locks.map(({ lock, state, holder, waiters }) => [lock, state, holder, waiters])).toEqual([
    ['held', 'held', null, null],
    ['free', 'free', null, null],
    ['never', 'absent', null, null],
  ]);
});

test('a user whom the management API refuses is told which tag is missing', async () => {
  const ns = namespace();
  await control().addUser('cli-plain', 'secret', { configure: '.*', write: '.*', read: '.*' });
  const { host } = new URL(BROKER.url);
  const { code, stderr } = await batonResult([
    'ls',
    ...['--url', `amqp://cli-plain:secret@${host}`, '--namespace', ns],
    ...management(),
  ]);
  expect(code).toBe(69);
  expect(stderr).toContain('rabbitmqctl set_user_tags cli-plain monitoring');
  expect(stderr).not.toContain('secret');
});
