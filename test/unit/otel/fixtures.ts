import type { Attributes } from '@opentelemetry/api';
import { type HistogramMetricData, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { onTestFinished } from 'vitest';
import { type InstrumentOptions, instrument } from '../../../src/otel/index.ts';

class Reader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

export interface Point {
  readonly attributes: Attributes;
  /** A number, or how often a histogram was recorded to and with what sum. */
  readonly value: number | { readonly count: number; readonly sum: number };
}

/** Instruments this process for one test; `read` collects what was recorded under one name. */
export function measured(options: Omit<InstrumentOptions, 'meterProvider'> = {}) {
  const reader = new Reader();
  const meterProvider = new MeterProvider({ readers: [reader] });
  const stop = instrument({ meterProvider, ...options });
  onTestFinished(stop);
  onTestFinished(() => meterProvider.shutdown());
  const collect = async () => {
    const { resourceMetrics, errors } = await reader.collect();
    if (errors.length > 0) throw errors[0];
    return resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
  };
  const read = async (name: string): Promise<Point[]> => {
    const metric = (await collect()).find(({ descriptor }) => descriptor.name === name);
    return (metric?.dataPoints ?? []).map(({ attributes, value }) => ({
      attributes,
      value: typeof value === 'number' ? value : countAndSum(value),
    }));
  };
  return { read, stop, descriptors: async () => (await collect()).map(({ descriptor }) => descriptor) };
}

function countAndSum(value: HistogramMetricData['dataPoints'][number]['value'] | object) {
  const { count, sum = 0 } = value as { count: number; sum?: number };
  return { count, sum };
}
