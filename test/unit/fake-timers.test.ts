import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Coordinator } from '../../src/index.ts';
import { ManualClock, TestBroker } from '../../src/testing/index.ts';

/**
 * What of Node's globals Jest 30 fakes by default. It fakes process.nextTick as well, which Vitest does not allow in a
 * child process; that nothing here waits for it is a rule of test/unit/codebase.
 */
const JEST = [
  'Date',
  'hrtime',
  'performance',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setInterval',
  'clearInterval',
  'setTimeout',
  'clearTimeout',
] as const;

afterEach(() => void vi.useRealTimers());

async function closed(baton: Coordinator, advance: (ms: number) => Promise<unknown>): Promise<void> {
  const closing = baton.close({ drainMs: 0 });
  await advance(2_000);
  await closing;
}

describe.each([
  ['Vitest', undefined],
  ['Jest', { toFake: [...JEST] }],
])('with the fake timers of %s', (_, options) => {
  beforeEach(() => void vi.useFakeTimers(options));

  test('a broker on the clock of the system goes by them: leases end, schedules run, waits time out', async () => {
    const broker = new TestBroker();
    const baton = broker.connect();
    const ran: number[] = [];
    baton.schedule('jobs', '1h', ({ tick }) => void ran.push(tick.getTime()));
    const lease = await baton.lock('a').acquire();
    const late = baton.lock('a').acquire({ timeoutMs: 60_000 });
    const outcome = expect(late).rejects.toMatchObject({ code: 'acquire-timeout' });
    await vi.advanceTimersByTimeAsync(60_000);
    await outcome;
    expect(lease.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(3 * 3_600_000);
    expect(ran.length).toBeGreaterThanOrEqual(3);
    broker.line(baton).freeze();
    await vi.advanceTimersByTimeAsync(15_000);
    expect(lease.signal.reason).toMatchObject({ reason: 'verification-timeout' });
    await closed(baton, (ms) => vi.advanceTimersByTimeAsync(ms));
  });

  test('a ManualClock stays the clock, and moves by itself', async () => {
    const clock = new ManualClock();
    const broker = new TestBroker({ clock });
    const baton = broker.connect();
    const lease = await baton.lock('a').acquire();
    broker.line(baton).freeze();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lease.signal.aborted).toBe(false);
    await clock.advance(15_000);
    expect(lease.signal.aborted).toBe(true);
    await closed(baton, (ms) => clock.advance(ms));
  });

  test('a listener is told, and a package that is loaded while they are there works too', async () => {
    vi.resetModules();
    const later = await import('../../src/testing/index.ts');
    const broker = new later.TestBroker();
    const baton = broker.connect();
    const states: string[] = [];
    baton.on('state', ({ to }) => states.push(to));
    broker.restart();
    await vi.advanceTimersByTimeAsync(10);
    expect(states).toEqual(['reconnecting', 'open']);
    const clock = new later.ManualClock();
    await clock.advance(1_000);
    await closed(baton as Coordinator, (ms) => vi.advanceTimersByTimeAsync(ms));
  });
});

test.each([
  ['setTimeout', 'performance'],
  ['performance', 'setTimeout'],
] as const)('fake timers for %s and not for %s are refused, but for a ManualClock', async (fake, real) => {
  vi.useFakeTimers({ toFake: [fake, 'Date'] });
  expect(() => new TestBroker().connect()).toThrow(`got ${fake} alone. Add '${real}' to toFake`);
  const clock = new ManualClock();
  await closed(new TestBroker({ clock }).connect(), (ms) => clock.advance(ms));
});
