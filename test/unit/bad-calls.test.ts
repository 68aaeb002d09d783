import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { type Coordinator, connect, InvalidOptionsError, type Lease } from '../../src/index.ts';
import { ManualClock, TestBroker } from '../../src/testing/index.ts';

const COUNT = { state: z.number() };
const bad = <T>(value: unknown): T => value as T;

let broker: TestBroker;
let baton: Coordinator;
let held: Lease<number>;

beforeEach(async () => {
  broker = new TestBroker();
  baton = broker.connect();
  held = await baton.lock('held', COUNT).acquire();
});
afterEach(() => baton.close({ drainMs: 0 }));

const free = () => baton.lock('free');
const task = vi.fn();

/** Every public call with something wrong, and a word of what it is told. */
const CALLS: readonly (readonly [string, () => unknown, RegExp])[] = [
  ['connect, no URL', () => connect(bad(undefined)), /URL must be a string/],
  ['connect, no URLs', () => connect([]), /at least one URL/],
  ['connect, options', () => connect('amqp://localhost', bad('x')), /options must be an object/],
  ['lock, name', () => baton.lock(bad(42)), /lock name must be a string/],
  ['lock, options', () => baton.lock('free', bad({ state: 5 })), /state must be a schema/],
  ['acquire, timeoutMs', () => free().acquire({ timeoutMs: -1 }), /timeoutMs must be 0 or more/],
  ['acquire, signal', () => free().acquire({ signal: bad({ aborted: false }) }), /must be an AbortSignal/],
  ['tryAcquire, options', () => free().tryAcquire(bad([])), /options must be an object, got an array/],
  [
    'run, no task',
    () => free().run(bad<() => void>(undefined)),
    /run: task must be a function, got undefined/,
  ],
  ['run, options', () => free().run(task, bad({ timeout: 5 })), /unknown option timeout/],
  [
    'tryRun, no task',
    () => free().tryRun(bad<() => void>({})),
    /tryRun: task must be a function, got an object/,
  ],
  ['tryRun, options', () => free().tryRun(task, { timeoutMs: Number.NaN }), /timeoutMs must be/],
  ['save, timeoutMs', () => held.save(1, { timeoutMs: bad('5') }), /save: timeoutMs must be/],
  ['release, timeoutMs', () => held.release({ timeoutMs: -1 }), /release: timeoutMs must be/],
  ['release, an option', () => held.release(bad({ stat: 1 })), /unknown option stat/],
  ['close, drainMs', () => baton.close({ drainMs: -1 }), /close: drainMs must be/],
  ['schedule, name', () => baton.schedule('', '1d', task), /lock name must be/],
  ['schedule, when', () => baton.schedule('job', 'often', task), /often/],
  [
    'schedule, no task',
    () => baton.schedule('job', '1d', bad(undefined)),
    /schedule: task must be a function/,
  ],
  ['schedule, options', () => baton.schedule('job', '1d', task, bad({ catchUp: 1 })), /catchUp must be/],
  ['TestBroker.connect', () => broker.connect({ leaseMs: 1 }), /leaseMs must be/],
  ['TestBroker.loseLease', () => broker.loseLease(bad('held')), /must be an object with a name, got "held"/],
  ['TestBroker.takeBack', () => broker.takeBack({ name: '' }), /lock name must be/],
  [
    'TestBroker.destroyToken',
    () => broker.destroyToken({ name: 'held', namespace: '!' }),
    /namespace must be/,
  ],
  ['TestBroker.deleteLock', () => broker.deleteLock({ name: 'held', slots: 0 }), /slots must be/],
  ['TestBroker.purgeLock', () => broker.purgeLock({ name: 'held', part: bad('x') }), /part must be/],
  ['TestBroker.readyMessages', () => broker.readyMessages(bad({})), /lock name must be/],
  ['TestBroker.exists', () => broker.exists(bad(undefined)), /must be an object with a name/],
  ['ManualClock.advance', () => new ManualClock().advance(Number.NaN), /advance: ms must be 0 or more/],
  ['ManualClock.stall', () => new ManualClock().stall(-1), /stall: ms must be 0 or more/],
  [
    'ManualClock.stepWall',
    () => new ManualClock().stepWall(Number.POSITIVE_INFINITY),
    /stepWall: ms must be/,
  ],
];

test.each(CALLS)(
  'what is wrong with a call is told before anything happens: %s',
  async (_what, call, told) => {
    await expect((async () => call())()).rejects.toSatisfy(
      (error) => error instanceof InvalidOptionsError && told.test(error.message),
    );
    expect(task).not.toHaveBeenCalled();
    expect([broker.exists({ name: 'free' }), broker.exists({ name: 'job' })]).toEqual([false, false]);
    // Nothing was lost: the lease is held, and everything can still be called.
    held.throwIfLost();
    await held.save(1);
    await held.release();
    await baton.lock('free').run(() => {});
    await baton.close();
  },
);
