import { expect, test } from 'vitest';
import { Coordinator } from '../../../src/coordinator.ts';
import { MemoryBroker } from '../../../src/memory/broker.ts';
import { parseConnectOptions } from '../../../src/options.ts';
import { lockPlace } from '../../../src/protocol/queues.ts';
import { ManualClock } from '../../../src/testing/index.ts';

const COUNT = 1_000;
const EVERY_MS = 5_000;
const LEASE_MS = 15_000;

/** A coordinator that has taken so many locks in one moment. */
async function holdMany(count: number) {
  const clock = new ManualClock();
  const broker = new MemoryBroker({ clock });
  const session = broker.connect();
  const baton = new Coordinator(session, parseConnectOptions({}), clock);
  const names = Array.from({ length: count }, (_, index) => `lock-${index}`);
  const acquiring = Promise.all(names.map((name) => baton.lock(name).acquire()));
  await clock.advance(10);
  const leases = await acquiring;
  const queues = names.map((name) => lockPlace('default', name, undefined).queue);
  /** How often holders have asked, over all locks: 4.3 counts each answer in both headers. */
  const questions = () =>
    queues.reduce((sum, queue) => sum + (broker.line(queue)[0]?.heldReturns ?? Number.NaN) / 2, 0);
  const close = async () => {
    const closing = baton.close({ drainMs: 0 });
    await clock.advance(2_000);
    await closing;
  };
  return { clock, session, leases, questions, close };
}

test('1,000 locks that were taken in one moment are each verified once in verifyEveryMs, and few at a time', async () => {
  const { clock, leases, questions, close } = await holdMany(COUNT);
  for (let round = 0; round < 3; round += 1) {
    const before = questions();
    for (let ms = 0; ms < EVERY_MS; ms += 200) {
      const seen = questions();
      await clock.advance(200);
      expect(questions() - seen).toBeLessThanOrEqual(80);
    }
    expect(questions() - before).toBe(COUNT);
  }
  for (const lease of leases) expect(lease.remainingMs).toBeGreaterThanOrEqual(LEASE_MS - EVERY_MS);
  await close();
});

test('a lease that is not answered any more ends at its own moment, not at that of a round', async () => {
  const { clock, session, leases, close } = await holdMany(50);
  await clock.advance(2 * EVERY_MS + 33);
  session.freeze();
  const now = clock.now().mono;
  const ends = leases.map(({ remainingMs }) => now + remainingMs);
  const lostAt: number[] = [];
  for (const [index, { signal }] of leases.entries()) {
    signal.addEventListener('abort', () => {
      lostAt[index] = clock.now().mono;
    });
  }
  await clock.advance(LEASE_MS);
  expect(lostAt).toEqual(ends);
  await close();
});
