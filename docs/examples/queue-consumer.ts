/**
 * Jobs of one customer one after the other, whichever worker they come to; jobs of different customers side by side.
 *
 *   AMQP_URL=amqp://localhost QUEUE=jobs npx tsx docs/examples/queue-consumer.ts
 *
 * Jobs are messages `{ "id": 1, "customer": 42 }` of a durable queue. End it with SIGTERM.
 */
import { setTimeout as work } from 'node:timers/promises';
import { type Channel, type ChannelModel, type ConsumeMessage, connect as connectAmqp } from 'amqplib';
import { connect, type Lease } from 'batonmq';

interface Job {
  readonly id: number;
  readonly customer: number;
}

const { AMQP_URL = 'amqp://localhost', QUEUE = 'jobs' } = process.env;
const baton = await connect(AMQP_URL, { service: 'queue-consumer', slots: 64 }); // customers without bound

async function invoice({ id, customer }: Job, lease: Lease): Promise<void> {
  const startedAt = Date.now();
  await work(20, undefined, { signal: lease.signal }); // gives up when the lock is lost
  lease.throwIfLost();
  const fence = String(lease.fence);
  console.log(JSON.stringify({ id, customer, worker: process.pid, fence, startedAt, endedAt: Date.now() }));
}

async function handle(channel: Channel, message: ConsumeMessage): Promise<void> {
  try {
    const job = JSON.parse(message.content.toString()) as Job;
    await baton.lock(`customer:${job.customer}`).run((lease) => invoice(job, lease), { timeoutMs: 30_000 });
    channel.ack(message); // only now: a job done twice does less harm than one that is lost
  } catch (error) {
    console.error(`job ${message.content}: ${error}`);
    try {
      channel.nack(message, false, !(error instanceof SyntaxError)); // somebody tries again
    } catch {
      // The channel is gone, and the broker has given the job to somebody else.
    }
  }
}

let stopTaking = async (): Promise<void> => {};

/** On a channel of its own, again after each new connection, and after the loss of a channel. */
async function takeJobs(connection: ChannelModel): Promise<void> {
  const channel = await connection.createChannel();
  const again = () => takeJobs(connection).catch((error: unknown) => console.error(`no jobs: ${error}`));
  channel.on('error', (error) => {
    console.error(`the channel was lost: ${error}`);
    void again();
  });
  await channel.assertQueue(QUEUE, { durable: true });
  await channel.prefetch(10); // up to ten jobs at a time, of which those of one customer wait for each other
  const { consumerTag } = await channel.consume(QUEUE, (message) => {
    if (message !== null) void handle(channel, message);
    else void channel.close().then(again); // somebody deleted the queue
  });
  stopTaking = async () => void (await channel.cancel(consumerTag));
  console.log(JSON.stringify({ ready: true }));
}

const recovery = { setup: takeJobs, maxRetries: Number.POSITIVE_INFINITY, maxDelay: 5_000 };
const connection = await connectAmqp(AMQP_URL, { recovery });
connection.on('error', (error) => console.error(`the connection was lost: ${error}`));

process.once('SIGTERM', async () => {
  await stopTaking().catch(() => {}); // no new jobs; without a connection there are none
  await baton.close({ drainMs: 10_000 }); // waits for holders; jobs that still wait for their lock go back
  await connection.close();
});
