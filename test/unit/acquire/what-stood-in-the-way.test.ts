import { beforeEach, expect, test, vi } from 'vitest';
import { Coordinator } from '../../../src/coordinator.ts';
import { BrokerUnreachableError } from '../../../src/errors.ts';
import { MemoryBroker } from '../../../src/memory/broker.ts';
import { parseConnectOptions } from '../../../src/options.ts';
import { ManualClock } from '../../../src/testing/index.ts';
import { watch } from '../in-memory.ts';

const SAID = `INTERNAL_ERROR - Cannot declare quorum queue 'q' in vhost '/' on node 'n' with leader on node 'n': cluster_not_formed`;
let clock: ManualClock;

beforeEach(() => {
  clock = new ManualClock();
});

function opened() {
  const session = new MemoryBroker({ clock }).connect();
  const declare = session.declare.bind(session);
  const failing = vi.spyOn(session, 'declare').mockRejectedValue(new BrokerUnreachableError(SAID));
  const baton = new Coordinator(session, parseConnectOptions({}), clock);
  return { baton, failing, declare };
}

async function closed(baton: Coordinator): Promise<void> {
  const closing = baton.close({ drainMs: 0 });
  await clock.advance(2_000);
  await closing;
}

test('a timeout names what the broker answered to the declaration of the lock, and is tried again until then', async () => {
  const { baton, failing } = opened();
  const waiting = watch(baton.lock('jobs').acquire({ timeoutMs: 10_000 }));
  const trying = watch(baton.lock('jobs').tryAcquire());
  await clock.advance(10_000);
  expect(waiting.error).toMatchObject({ code: 'acquire-timeout', cause: { code: 'broker-unreachable' } });
  expect(String(waiting.error)).toContain('cluster_not_formed');
  expect(String(trying.error)).toContain('cluster_not_formed');
  expect(failing.mock.calls.length).toBeGreaterThan(8);
  await closed(baton);
});

test('what the broker answered to another lock, or to an earlier declaration, is not named', async () => {
  const { baton, failing, declare } = opened();
  const jobs = baton.lock('jobs');
  const earlier = watch(jobs.acquire({ timeoutMs: 1_000 }));
  await clock.advance(1_000);
  expect(String(earlier.error)).toContain('cluster_not_formed');
  failing.mockImplementation(declare);
  const held = watch(jobs.acquire());
  await clock.advance(2_000);
  expect(held.value).toBeDefined();
  failing.mockReturnValue(new Promise(() => {}));
  const other = watch(baton.lock('other').acquire({ timeoutMs: 1_000 }));
  const same = watch(jobs.acquire({ timeoutMs: 1_000 }));
  await clock.advance(1_000);
  expect(String(other.error)).toContain('the broker did not answer');
  expect(String(same.error)).toContain('this process itself holds it');
  await closed(baton);
});
