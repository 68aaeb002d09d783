import { type MeterProvider, metrics, type TracerProvider, trace } from '@opentelemetry/api';
import { recordMetrics } from './metrics.ts';
import { recordSpans } from './spans.ts';

/** Options of {@link instrument}. */
export interface InstrumentOptions {
  /** Default: the global one of `@opentelemetry/api`. */
  readonly meterProvider?: MeterProvider | undefined;
  /** Default: the global one of `@opentelemetry/api`. */
  readonly tracerProvider?: TracerProvider | undefined;
  /**
   * What of a lock's name becomes the metric attribute `batonmq.lock.name`. Every value is a time series of its own,
   * so it must have few values: `(name) => name.split(':')[0]`. Default: nothing. Spans always carry the whole name.
   */
  readonly lockAttribute?: ((lock: string) => string | undefined) | undefined;
}

/**
 * Turns what the coordinators of this process publish on `node:diagnostics_channel` into OpenTelemetry metrics and
 * spans. Call it once, before `connect`, and after your SDK has been set up. Needs `@opentelemetry/api`.
 *
 * @returns a function that ends it
 *
 * @example
 * import { instrument } from 'batonmq/otel';
 * instrument({ lockAttribute: (name) => name.split(':')[0] });
 */
export function instrument(options: InstrumentOptions = {}): () => void {
  const meter = (options.meterProvider ?? metrics).getMeter('batonmq');
  const tracer = (options.tracerProvider ?? trace).getTracer('batonmq');
  const { lockAttribute } = options;
  const stops = [
    ...recordMetrics(meter, (lock) => {
      const value = lockAttribute?.(lock);
      return value === undefined ? {} : { 'batonmq.lock.name': value };
    }),
    ...recordSpans(tracer),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
