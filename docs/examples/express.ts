/**
 * An HTTP endpoint that serves one request of each customer at a time, on all machines together.
 *
 *   AMQP_URL=amqp://localhost PORT=3000 npx tsx docs/examples/express.ts
 *   curl -X POST localhost:3000/customers/42/orders
 */
import { once } from 'node:events';
import { setTimeout as work } from 'node:timers/promises';
import { AcquireTimeoutError, BrokerUnreachableError, ClosedError, connect, LeaseLostError } from 'batonmq';
import express, { type NextFunction, type Request, type Response } from 'express';

const { AMQP_URL = 'amqp://localhost', PORT = '3000' } = process.env;
const baton = await connect(AMQP_URL, { service: 'orders', idleExpiryMs: 3_600_000 });
const app = express();

app.post('/customers/:id/orders', async (request, response) => {
  const gone = new AbortController(); // nobody waits in line for a client that has hung up
  response.once('close', () => gone.abort());
  const order = await baton.lock(`customer:${request.params.id}`).run(
    async (lease) => {
      const startedAt = Date.now();
      await work(50, undefined, { signal: lease.signal });
      lease.throwIfLost(); // right before the step that counts
      return { fence: String(lease.fence), startedAt, endedAt: Date.now() };
    },
    { timeoutMs: 2_000, signal: gone.signal },
  );
  response.status(201).json(order);
});

app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
  if (response.headersSent || response.destroyed) return next(error);
  if (error instanceof AcquireTimeoutError) {
    response
      .status(409)
      .set('Retry-After', '2')
      .json({ error: 'another order of this customer is under way' });
  } else if (
    error instanceof LeaseLostError ||
    error instanceof BrokerUnreachableError ||
    error instanceof ClosedError
  ) {
    response.status(503).set('Retry-After', '5').json({ error: 'try again' });
  } else next(error);
});

const server = app.listen(Number(PORT), '127.0.0.1');
await once(server, 'listening');
console.log(JSON.stringify({ listening: server.address() }));

process.once('SIGTERM', () => {
  server.close(); // takes no new requests
  void baton.close({ drainMs: 10_000 }); // waits for those that hold a lock; the others get 503
});
