/**
 * Jobs of one customer one after the other, whichever worker they come to; jobs of different customers side by side.
 *
 *   AMQP_URL=amqp://localhost QUEUE=jobs npx tsx docs/examples/queue-consumer.ts
 *
 * Jobs are messages `{ "id": 1, "customer": 42 }` of a durable queue. End it with SIGTERM.
 */
import { setTimeout as work } from 'node:timers/promises';
import { type ConsumeMessage, connect as connectAmqp } from 'amqplib';
import { connect, type Lease } from 'batonmq';

interface Job {
  readonly id: number;
  readonly customer: number;
}

const { AMQP_URL = 'amqp://localhost', QUEUE = 'jobs' } = process.env;
const baton = await connect(AMQP_URL, { service: 'queue-consumer', slots: 64 }); // customers without bound
const connection = await connectAmqp(AMQP_URL);
const channel = await connection.createChannel();
await channel.assertQueue(QUEUE, { durable: true });
await channel.prefetch(10); // up to ten jobs at a time, of which those of one customer wait for each other

async function invoice({ id, customer }: Job, lease: Lease): Promise<void> {
  const startedAt = Date.now();
  await work(20, undefined, { signal: lease.signal }); // gives up when the lock is lost
  lease.throwIfLost();
  const fence = String(lease.fence);
  console.log(JSON.stringify({ id, customer, worker: process.pid, fence, startedAt, endedAt: Date.now() }));
}

async function handle(message: ConsumeMessage): Promise<void> {
  const job = JSON.parse(message.content.toString()) as Job;
  try {
    await baton.lock(`customer:${job.customer}`).run((lease) => invoice(job, lease), { timeoutMs: 30_000 });
    channel.ack(message); // only now: a job done twice does less harm than one that is lost
  } catch (error) {
    console.error(`job ${job.id}: ${error}`);
    channel.nack(message); // not in time, or the lock was lost: somebody tries again
  }
}

const { consumerTag } = await channel.consume(QUEUE, (message) => void (message && handle(message)));
console.log(JSON.stringify({ ready: true }));

process.once('SIGTERM', async () => {
  await channel.cancel(consumerTag); // no new jobs
  await baton.close({ drainMs: 10_000 }); // waits for holders; jobs that still wait for their lock go back
  await channel.close();
  await connection.close();
});
