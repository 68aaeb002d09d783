/**
 * A worker whose locks can be seen in Prometheus.
 *
 *   AMQP_URL=amqp://localhost METRICS_PORT=9464 npx tsx docs/examples/metrics.ts
 *   curl localhost:9464/metrics
 */
import { setTimeout as work } from 'node:timers/promises';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { connect } from 'batonmq';
import { instrument } from 'batonmq/otel';

const { AMQP_URL = 'amqp://localhost', METRICS_PORT = '9464', LOCK = 'report:7' } = process.env;

const exporter = new PrometheusExporter({ host: '127.0.0.1', port: Number(METRICS_PORT) });
const meterProvider = new MeterProvider({ readers: [exporter] });
instrument({ meterProvider, lockAttribute: (name) => name.split(':')[0] }); // before connect

const baton = await connect(AMQP_URL, { service: 'reports' });
console.log(JSON.stringify({ ready: true }));

const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());
while (!stopping.signal.aborted) {
  await baton
    .lock(LOCK)
    .run(({ signal }) => work(100, undefined, { signal }))
    .catch((error: unknown) => console.error(`this round failed: ${error}`));
  await work(10);
}
await baton.close();
await meterProvider.shutdown();
