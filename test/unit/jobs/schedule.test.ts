import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TestBroker } from '../../../src/testing/index.ts';
import { problems } from '../options-problems.ts';
import { Fleet, MINUTE, type WorkerOptions } from './fleet.ts';

let fleet: Fleet;
beforeEach(() => {
  fleet = new Fleet();
});
afterEach(() => fleet.close());

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);
const start = (count: number, options?: WorkerOptions) =>
  Array.from({ length: count }, () => fleet.start(options));

describe('three workers', () => {
  test('run each tick on exactly one of them', async () => {
    start(3);
    await fleet.advance(10.5 * MINUTE);
    expect(fleet.ticks).toEqual(upTo(10));
  });

  test('with clocks minutes apart run each tick once, when the fastest clock says so', async () => {
    for (const minutes of [-2, 0, 3]) fleet.start({ aheadMs: minutes * MINUTE });
    await fleet.advance(1.5 * MINUTE); // at first each has a tick that none of the others has
    expect(new Set(fleet.ticks).size).toBe(fleet.ticks.length);
    const atFirst = fleet.runs.length;
    await fleet.advance(9 * MINUTE);
    const runs = fleet.runs.slice(atFirst);
    expect(runs.map(({ tick }) => tick)).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13]);
    for (const { by, tick, at } of runs) {
      expect(by).toBe(2);
      expect(at).toBeCloseTo(tick - 3, 1);
    }
  });

  test('go by the next clock when the fastest one has died, and run no tick twice', async () => {
    const [, , fastest] = [-2, 0, 3].map((minutes) => fleet.start({ aheadMs: minutes * MINUTE }));
    await fleet.advance(5.5 * MINUTE);
    fastest?.die();
    const before = fleet.ticks;
    await fleet.advance(10 * MINUTE);
    expect(new Set(fleet.ticks).size).toBe(fleet.ticks.length);
    expect(fleet.ticks.slice(before.length)).toEqual(upTo(15).slice((before.at(-1) ?? 0) as number));
    expect(fleet.runs.slice(before.length).every(({ by }) => by === 1)).toBe(true);
  });
});

describe('a worker that dies in the middle of a run', () => {
  test('has its tick run again by the next one, at once', async () => {
    start(3, { tookMs: 5_000 });
    await fleet.advance(MINUTE + 2_000);
    expect(fleet.ticks).toEqual([1]);
    fleet.runner.die();
    await fleet.advance(1_000);
    expect(fleet.ticks).toEqual([1, 1]);
    await fleet.advance(MINUTE);
    expect(fleet.ticks).toEqual([1, 1, 2]);
  });

  test('has not, with at-most-once', async () => {
    start(3, { tookMs: 5_000, semantics: 'at-most-once' });
    await fleet.advance(MINUTE + 2_000);
    fleet.runner.die();
    await fleet.advance(MINUTE);
    expect(fleet.ticks).toEqual([1, 2]);
  });
});

describe('a run that fails', () => {
  test('is tried once by each worker, and told', async () => {
    const workers = start(3, { fails: true });
    await fleet.advance(1.5 * MINUTE);
    expect(fleet.runs.map(({ by }) => by).sort()).toEqual([0, 1, 2]);
    expect(fleet.ticks).toEqual([1, 1, 1]);
    expect(workers[0]?.reports).toMatchObject([
      { event: 'failed', report: { error: new Error('no paper') } },
    ]);
  });

  test('is done, with at-most-once', async () => {
    start(3, { fails: true, semantics: 'at-most-once' });
    await fleet.advance(1.5 * MINUTE);
    expect(fleet.ticks).toEqual([1]);
  });

  test('is caught up by the next worker that can, with catchUp all', async () => {
    const broken = fleet.start({ fails: true, catchUp: 'all' });
    await fleet.advance(2.5 * MINUTE);
    broken.die();
    fleet.start({ catchUp: 'all' });
    await fleet.advance(MINUTE);
    expect(fleet.runs.filter(({ by }) => by === 1).map(({ tick }) => tick)).toEqual([1, 2, 3]);
  });
});

describe('a run that takes longer than the interval', () => {
  test('drops the ticks that come meanwhile, on every worker', async () => {
    start(3, { tookMs: 2.5 * MINUTE });
    await fleet.advance(8 * MINUTE);
    expect(fleet.ticks).toEqual([1, 4, 7]);
  });

  test('has them run after it, in order, with queue', async () => {
    start(3, { tookMs: 1.5 * MINUTE, overrun: 'queue' });
    await fleet.advance(8 * MINUTE);
    expect(fleet.ticks).toEqual([1, 2, 3, 4, 5]);
  });
});

describe('ticks that came while no worker was there', () => {
  async function absence(options: WorkerOptions): Promise<number[]> {
    const first = fleet.start(options);
    await fleet.advance(1.5 * MINUTE);
    first.die();
    await fleet.advance(4 * MINUTE);
    fleet.start(options);
    await fleet.advance(MINUTE);
    return fleet.ticks;
  }

  test('are not run with none', async () => {
    expect(await absence({ catchUp: 'none' })).toEqual([1, 6]);
  });

  test('are run once with last', async () => {
    expect(await absence({ catchUp: 'last' })).toEqual([1, 5, 6]);
  });

  test('are all run in order with all', async () => {
    expect(await absence({ catchUp: 'all' })).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe('a worker that slept over ticks', () => {
  test('finds them done by the others', async () => {
    const sleeper = fleet.start({ catchUp: 'all' });
    await fleet.advance(0.5 * MINUTE);
    sleeper.sleep();
    fleet.start({ catchUp: 'all' });
    await fleet.advance(5 * MINUTE);
    sleeper.wake();
    await fleet.advance(MINUTE);
    expect(fleet.ticks).toEqual(upTo(6));
  });

  test('has missed them when it was alone', async () => {
    const sleeper = fleet.start();
    await fleet.advance(1.5 * MINUTE);
    sleeper.sleep();
    await fleet.advance(4 * MINUTE);
    sleeper.wake();
    await fleet.advance(MINUTE);
    expect(fleet.ticks).toEqual([1, 6]);
  });
});

describe('a schedule', () => {
  test('runs nothing at its start', async () => {
    start(3, { catchUp: 'all' });
    await fleet.advance(0.9 * MINUTE);
    expect(fleet.ticks).toEqual([]);
  });

  test('that is stopped aborts its run, waits for its end and leaves the tick to the others', async () => {
    start(2, { tookMs: 20_000 });
    await fleet.advance(MINUTE + 2_000);
    const { runner } = fleet;
    const stopped = runner.schedule.stop();
    await fleet.advance(1_000);
    await stopped;
    expect(runner.reports.map(({ event }) => event)).toEqual(['failed']);
    expect(fleet.ticks).toEqual([1, 1]);
    await fleet.advance(3 * MINUTE);
    expect(fleet.ticks).toEqual([1, 1, 2, 3, 4]);
  });

  test('ends with its coordinator, once its run is over', async () => {
    const worker = fleet.start({ tookMs: 5_000 });
    await fleet.advance(MINUTE + 2_000);
    const closed = worker.coordinator.close({ drainMs: 10_000 });
    await fleet.advance(4_000);
    await closed;
    expect(worker.reports.map(({ event }) => event)).toEqual(['done']);
    await fleet.advance(3 * MINUTE);
    expect(fleet.ticks).toEqual([1]);
  });
});

test('a run that ends at a fraction of a millisecond is recorded', async () => {
  fleet.start({ aheadMs: 0.25, tookMs: 1_000.25 });
  await fleet.advance(2.5 * MINUTE);
  expect(fleet.ticks).toEqual([1, 2]);
});

test('a coordinator with slots or an idle expiry is refused, because of the memory', async () => {
  const broker = new TestBroker();
  const refusal = (options: object) => {
    const baton = broker.connect(options);
    const sentences = problems(() => baton.schedule('nightly', '0 3 * * *', () => undefined));
    return baton.close().then(() => sentences);
  };
  expect(await refusal({ slots: 8 })).toEqual([
    'lock: slots must be left out of connect for locks with state and for schedules, got 8',
  ]);
  expect(await refusal({ idleExpiryMs: 60_000 })).toEqual([
    'lock: idleExpiryMs must be Infinity for locks with state and for schedules, got 60000',
  ]);
});
