import { context, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { instrument } from '../../../src/otel/index.ts';
import { TestBroker } from '../../../src/testing/index.ts';

/** Instruments this process for one test; `spans` are those that have ended, in this order. */
function traced() {
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  onTestFinished(() => context.disable());
  onTestFinished(instrument({ tracerProvider }));
  return { tracer: tracerProvider.getTracer('app'), spans: () => exporter.getFinishedSpans() };
}

test('a wait and its hold are spans of the caller’s trace, linked to each other', async () => {
  const { tracer, spans } = traced();
  const baton = new TestBroker().connect({ service: 'billing' });
  const fence = await tracer.startActiveSpan('request', async (span) => {
    const seen = await baton.lock('invoice:42').run((lease) => lease.fence);
    span.end();
    return seen;
  });
  const [wait, hold, request] = spans();
  expect([wait?.name, hold?.name, request?.name]).toEqual(['batonmq.acquire', 'batonmq.hold', 'request']);
  for (const span of [wait, hold]) {
    expect(span?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
    expect(span?.spanContext().traceId).toBe(request?.spanContext().traceId);
    expect(span?.status.code).toBe(SpanStatusCode.UNSET);
  }
  const attributes = {
    'messaging.system': 'rabbitmq',
    'batonmq.lock.name': 'invoice:42',
    'batonmq.service': 'billing',
  };
  expect(wait?.kind).toBe(SpanKind.CLIENT);
  expect(wait?.attributes).toEqual({ ...attributes, 'batonmq.outcome': 'granted' });
  expect(hold?.attributes).toEqual({
    ...attributes,
    'batonmq.fence': String(fence),
    'batonmq.outcome': 'released',
  });
  expect(hold?.links.map((link) => link.context.spanId)).toEqual([wait?.spanContext().spanId]);
  await baton.close();
});

test('a wait that fails and a lease that is lost are errors, with the reason', async () => {
  const { spans } = traced();
  const broker = new TestBroker();
  const baton = broker.connect();
  const lease = await baton.lock('a').acquire();
  await expect(baton.lock('a').acquire({ timeoutMs: 10 })).rejects.toThrow();
  expect(await baton.lock('a').tryAcquire()).toBeUndefined();
  const loss = new Promise((resolve) => lease.signal.addEventListener('abort', resolve));
  broker.loseLease(lease);
  await loss;
  const [, failed, held, lost] = spans();
  expect(failed?.status.code).toBe(SpanStatusCode.ERROR);
  expect(failed?.attributes).toMatchObject({ 'batonmq.outcome': 'failed', 'error.type': 'acquire-timeout' });
  expect(held?.status.code).toBe(SpanStatusCode.UNSET);
  expect(held?.attributes).toMatchObject({ 'batonmq.outcome': 'held' });
  expect(lost?.name).toBe('batonmq.hold');
  expect(lost?.status).toMatchObject({ code: SpanStatusCode.ERROR, message: /lost lock "a"/ });
  expect(lost?.attributes).toMatchObject({
    'batonmq.outcome': 'lost',
    'batonmq.lost.reason': 'channel-closed',
    'error.type': 'lease-lost',
  });
  await baton.close();
});

test('a save is a span of anybody who calls it, and an error if it failed', async () => {
  const { tracer, spans } = traced();
  const baton = new TestBroker().connect({ service: 'billing' });
  const lease = await baton.lock('cursor', { state: z.number() }).acquire();
  await tracer.startActiveSpan('request', async (span) => {
    await lease.save(1);
    await expect(lease.save('two' as unknown as number)).rejects.toThrow();
    await lease.release({ state: 3 });
    span.end();
  });
  const request = spans()
    .find(({ name }) => name === 'request')
    ?.spanContext();
  const saves = spans().filter(({ name }) => name === 'batonmq.save');
  expect(saves.map(({ attributes }) => attributes['batonmq.outcome'])).toEqual(['saved', 'failed', 'saved']);
  for (const { parentSpanContext, kind, attributes } of saves) {
    expect(parentSpanContext).toMatchObject({ spanId: request?.spanId, traceId: request?.traceId });
    expect(kind).toBe(SpanKind.CLIENT);
    expect(attributes).toMatchObject({
      'messaging.system': 'rabbitmq',
      'batonmq.lock.name': 'cursor',
      'batonmq.service': 'billing',
      'batonmq.fence': String(lease.fence),
    });
  }
  expect(saves.map(({ status }) => status.code)).toEqual([
    SpanStatusCode.UNSET,
    SpanStatusCode.ERROR,
    SpanStatusCode.UNSET,
  ]);
  expect(saves[1]?.attributes['error.type']).toBe('state');
  await baton.close();
});
