import { type Context, context, type Span, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import type { LockTrace } from '../diagnostics.ts';
import { errorType, listen, lostReason, type Stop } from './listen.ts';

type AcquireTrace = LockTrace & { result?: unknown };

/**
 * A span for each wait (`batonmq.acquire`), each hold (`batonmq.hold`) and each save (`batonmq.save`). The first two are
 * children of the span in which `acquire` was called, and the hold is linked to its wait; a save is one of its caller's.
 */
export function recordSpans(tracer: Tracer): Stop[] {
  const waits = new WeakMap<LockTrace, { readonly span: Span; readonly parent: Context }>();
  const holds = new WeakMap<LockTrace, Span>();
  const saves = new WeakMap<LockTrace, Span>();
  const attributesOf = ({ lock, service }: LockTrace) => ({
    'messaging.system': 'rabbitmq',
    'batonmq.lock.name': lock,
    'batonmq.service': service,
  });
  return [
    listen<LockTrace>('tracing:batonmq:acquire:start', (trace) => {
      const parent = context.active();
      const attributes = attributesOf(trace);
      const span = tracer.startSpan('batonmq.acquire', { kind: SpanKind.CLIENT, attributes }, parent);
      waits.set(trace, { span, parent });
    }),
    listen<AcquireTrace>('tracing:batonmq:acquire:asyncEnd', (trace) => {
      const span = waits.get(trace)?.span;
      if (span === undefined) return;
      if (trace.error !== undefined) fail(span, 'failed', trace.error);
      else span.setAttribute('batonmq.outcome', trace.result === undefined ? 'held' : 'granted');
      span.end();
    }),
    listen<LockTrace>('tracing:batonmq:hold:start', (trace) => {
      const wait = trace.acquire === undefined ? undefined : waits.get(trace.acquire);
      const span = tracer.startSpan(
        'batonmq.hold',
        {
          kind: SpanKind.INTERNAL,
          attributes: { ...attributesOf(trace), 'batonmq.fence': trace.fence ?? '' },
          ...(wait !== undefined && { links: [{ context: wait.span.spanContext() }] }),
        },
        wait?.parent ?? context.active(),
      );
      holds.set(trace, span);
    }),
    listen<LockTrace>('tracing:batonmq:hold:end', (trace) => {
      const span = holds.get(trace);
      if (span === undefined) return;
      const reason = lostReason(trace.error);
      if (reason === undefined) span.setAttribute('batonmq.outcome', 'released');
      else {
        span.setAttribute('batonmq.lost.reason', reason);
        fail(span, 'lost', trace.error);
      }
      span.end();
    }),
    listen<LockTrace>('tracing:batonmq:save:start', (trace) => {
      const attributes = { ...attributesOf(trace), 'batonmq.fence': trace.fence ?? '' };
      saves.set(trace, tracer.startSpan('batonmq.save', { kind: SpanKind.CLIENT, attributes }));
    }),
    listen<LockTrace>('tracing:batonmq:save:asyncEnd', (trace) => {
      const span = saves.get(trace);
      if (span === undefined) return;
      if (trace.error !== undefined) fail(span, 'failed', trace.error);
      else span.setAttribute('batonmq.outcome', 'saved');
      span.end();
    }),
  ];
}

function fail(span: Span, outcome: string, error: unknown): void {
  span.setAttributes({ 'batonmq.outcome': outcome, 'error.type': errorType(error) });
  span.setStatus({
    code: SpanStatusCode.ERROR,
    message: error instanceof Error ? error.message : String(error),
  });
}
