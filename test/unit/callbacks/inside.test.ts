import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { instrument } from '../../../src/otel/index.ts';
import { TestBroker } from '../../../src/testing/index.ts';
import { uncaughtDuring } from '../uncaught.ts';

/** Calls back once, from inside a message of that channel. */
function onceFrom(channel: string, call: () => void): void {
  const listener = () => {
    unsubscribe(channel, listener);
    call();
  };
  subscribe(channel, listener);
  onTestFinished(() => void unsubscribe(channel, listener));
}

test('a coordinator that is closed when a hold begins lets it go on while it drains', async () => {
  const baton = new TestBroker().connect();
  let closing: Promise<void> | undefined;
  onceFrom('tracing:batonmq:hold:start', () => {
    closing = baton.close();
  });
  const lease = await baton.lock('a').acquire();
  expect(closing).toBeDefined();
  await lease.verify();
  await lease.release();
  await closing;
});

test('a coordinator that is closed by the schema of a state gives the lock to its caller all the same', async () => {
  const broker = new TestBroker();
  const baton = broker.connect();
  const number = z.number();
  let closing: Promise<void> | undefined;
  await (await baton.lock('a', { state: number }).acquire()).release({ state: 1 });
  const state = number.refine(() => {
    closing ??= baton.close();
    return true;
  });
  const lease = await baton.lock('a', { state }).acquire();
  expect([lease.state, closing !== undefined]).toEqual([1, true]);
  await lease.verify();
  await lease.release();
  await closing;
});

test('a release that is asked for again from its own trace, or by the state that it saves, is one release', async () => {
  const broker = new TestBroker();
  await using baton = broker.connect();
  const lock = baton.lock('a', { state: z.number() });
  const first = await lock.acquire();
  const again: Promise<void>[] = [];
  onceFrom('tracing:batonmq:release:start', () => again.push(first.release()));
  await first.release();
  const second = await lock.acquire();
  const state = {
    toJSON: () => {
      again.push(second.release());
      return 7;
    },
  } as unknown as number;
  await second.release({ state }).catch(() => {}); // released before it could be saved
  await Promise.all(again);
  expect([again.length, broker.readyMessages({ name: 'a' })]).toEqual([2, 1]);
});

test('a schedule that is stopped by what it tells has its tick recorded', async () => {
  await using baton = new TestBroker().connect();
  let runs = 0;
  const schedule = baton.schedule('jobs', '* * * * * *', () => {
    runs += 1;
  });
  const stopped = new Promise<void>((resolve) => {
    schedule.once('done', () => resolve(schedule.stop()));
  });
  await Promise.all([once(schedule, 'ended'), stopped]);
  const lease = await baton
    .lock('jobs', { state: z.looseObject({ last: z.object({ outcome: z.string() }) }) })
    .acquire();
  expect([runs, lease.state?.last.outcome]).toEqual([1, 'done']);
  await lease.release();
});

test('an attribute of a metric that throws takes nothing from the lock', async () => {
  const meterProvider = new MeterProvider();
  const stop = instrument({
    meterProvider,
    lockAttribute: () => {
      throw new Error('no attribute');
    },
  });
  onTestFinished(stop);
  const baton = new TestBroker().connect();
  const uncaught = await uncaughtDuring(async () => {
    expect(await baton.lock('a').run(({ fence }) => fence > 0n)).toBe(true);
    await baton.close();
  });
  expect(new Set(uncaught.map(String))).toEqual(new Set(['Error: no attribute']));
});
