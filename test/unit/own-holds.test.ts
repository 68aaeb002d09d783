import { beforeEach, expect, test, vi } from 'vitest';
import type { ConnectOptions } from '../../src/index.ts';
import { ManualClock, TestBroker } from '../../src/testing/index.ts';
import { coordinators, watch } from './in-memory.ts';

let clock: ManualClock;
let broker: TestBroker;
const open = coordinators(() => clock);
const connect = (options?: ConnectOptions) => open(broker, options);

beforeEach(() => {
  clock = new ManualClock();
  broker = new TestBroker({ clock });
});

/** What a wait of 50 ms for `wanted` is told within a run of `held`. */
async function toldWithin(held: string, wanted: string, options?: ConnectOptions): Promise<string> {
  const baton = connect(options);
  const outcome = watch(
    baton.lock(held).run(async () => {
      await baton.lock(wanted).acquire({ timeoutMs: 50 });
    }),
  );
  await clock.advance(1_000);
  return String((outcome.error as Error).message);
}

test('who waits for what its own run holds is told that it holds it itself, also by the slot', async () => {
  expect(await toldWithin('a', 'a')).toMatch(/: the caller itself holds it$/);
  expect(await toldWithin('a', 'b', { slots: 1, namespace: 'slots' })).toMatch(
    /the caller itself holds it, as "a", which has the same slot$/,
  );
});

test('who does not is told of others: of a lease of this process, or of somebody else', async () => {
  const [a, b] = [connect(), connect()];
  const lease = watch(a.lock('a').acquire());
  await clock.advance(10);
  const here = watch(a.lock('a').acquire({ timeoutMs: 50 }));
  const elsewhere = watch(b.lock('a').acquire({ timeoutMs: 50 }));
  await clock.advance(100);
  expect(String(here.error)).toMatch(/this process itself holds it$/);
  expect(String(elsewhere.error)).toMatch(/somebody else holds it$/);
  expect(lease.value?.remainingMs).toBeGreaterThan(0);
});

test('a wait without a limit for what its own run holds warns once, and goes on', async () => {
  const warn = vi.fn();
  const emitted = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const baton = connect({ logger: { debug() {}, info() {}, warn, error() {} } });
  const lock = baton.lock('a');
  const outcome = watch(
    lock.run(async (lease) => {
      const waits = [lock.acquire(), lock.acquire()];
      await lease.release();
      for (const wait of waits) await (await wait).release();
      await (await lock.acquire()).release(); // released by now: not its own any more
    }),
  );
  await clock.advance(1_000);
  expect(outcome).toEqual({ value: undefined });
  const told = expect.stringMatching(/lock "a" is waited for without a timeout by code that holds it itself/);
  expect(warn.mock.calls).toEqual([[{ lock: 'a' }, told]]);
  expect(emitted.mock.calls).toEqual([[told, { code: 'BATONMQ_OWN_LOCK' }]]);
  emitted.mockRestore();
});
