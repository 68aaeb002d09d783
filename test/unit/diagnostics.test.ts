import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import type { LockTrace, StartOverTrace } from '../../src/index.ts';
import { encodeToken } from '../../src/protocol/token.ts';
import { TestBroker } from '../../src/testing/index.ts';

const STAGES = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;

/** What the channels of one operation say, in order: `start`, `error lease-lost` and so on. */
function record(operation: string, lock: string): string[] {
  const seen: string[] = [];
  const listener = (stage: string) => (message: unknown) => {
    const trace = message as LockTrace & { error?: { code?: string } };
    if (trace.lock !== lock) return;
    expect(trace.service).toBe('traced');
    seen.push(stage === 'error' ? `error ${trace.error?.code}` : stage);
  };
  const listeners = Object.fromEntries(STAGES.map((stage) => [stage, listener(stage)]));
  const channel = tracingChannel<unknown, LockTrace>(`batonmq:${operation}`);
  channel.subscribe(listeners as never);
  onTestFinished(() => void channel.unsubscribe(listeners as never));
  return seen;
}

const asked = ['start', 'end', 'asyncStart', 'asyncEnd'];

test('acquire, verify and release are traced from their start to their answer', async () => {
  const [acquire, verify, release] = ['acquire', 'verify', 'release'].map((each) => record(each, 'a'));
  const baton = new TestBroker().connect({ service: 'traced' });
  const lease = await baton.lock('a').acquire();
  await lease.verify();
  await lease.release();
  expect([acquire, verify, release]).toEqual([asked, asked, asked]);
  await baton.close();
});

test('a wait that fails is traced with its error', async () => {
  const acquire = record('acquire', 'b');
  const baton = new TestBroker().connect({ service: 'traced' });
  const held = await baton.lock('b').acquire();
  await expect(baton.lock('b').acquire({ timeoutMs: 10 })).rejects.toThrow();
  expect(acquire.slice(asked.length)).toEqual([
    'start',
    'end',
    'error acquire-timeout',
    'asyncStart',
    'asyncEnd',
  ]);
  await held.release();
  await baton.close();
});

test('a hold is traced from its grant to its end, with the loss if it was lost', async () => {
  const [released, lost] = [record('hold', 'c'), record('hold', 'd')];
  const broker = new TestBroker();
  const baton = broker.connect({ service: 'traced' });
  await (await baton.lock('c').acquire()).release();
  expect(released).toEqual(['start', 'end']);
  const lease = await baton.lock('d').acquire();
  const loss = new Promise((resolve) => lease.signal.addEventListener('abort', resolve));
  broker.loseLease(lease);
  await loss;
  expect(lost).toEqual(['start', 'error lease-lost', 'end']);
  await baton.close();
});

test('a contender that has got its place in line says so once', async () => {
  const waiting: string[] = [];
  const listener = (message: unknown) => void waiting.push((message as LockTrace).lock);
  subscribe('batonmq:waiting', listener);
  onTestFinished(() => void unsubscribe('batonmq:waiting', listener));
  const baton = new TestBroker().connect();
  const held = await baton.lock('e').acquire();
  const next = baton.lock('e').acquire();
  await held.release();
  await (await next).release();
  expect(waiting).toEqual(['e', 'e']);
  await baton.close();
});

test('a lock whose state is ahead of its token starts over, and says why', async () => {
  const reasons: string[] = [];
  const listener = (message: unknown) => {
    const trace = message as StartOverTrace;
    if (trace.lock === 'ahead') reasons.push(trace.reason);
  };
  subscribe('batonmq:start-over', listener);
  onTestFinished(() => void unsubscribe('batonmq:start-over', listener));
  const broker = new TestBroker();
  const options = { state: z.number() };
  const one = broker.connect();
  const first = await one.lock('ahead', options).acquire();
  await first.release({ state: 7 });
  broker.purgeLock({ name: 'ahead' });
  const token = {
    id: '0198c5d0-0000-7000-8000-000000000001',
    name: 'ahead',
    base: 1n,
    fencesPerReturn: 1,
    by: 'test',
    at: Date.now(),
  };
  broker.publish({ name: 'ahead' }, encodeToken(token));
  const two = broker.connect();
  const second = await two.lock('ahead', options).acquire();
  expect([second.state, second.fence > first.fence, reasons]).toEqual([7, true, ['state-ahead']]);
  await second.release();
  for (const baton of [one, two]) await baton.close();
});
