import { connect } from 'amqplib';
import { monotonicMs } from '../../clock.ts';

/** Two quorum queues, a message that goes to and fro: half of a round trip is one hop, from publish to delivery. */
export interface HopOrder {
  readonly url: string;
  readonly from: string;
  readonly to: string;
  /** Who begins, and measures until then (milliseconds of the machine's monotonic clock); the other one answers until it is stopped. */
  readonly untilMs: number | undefined;
}

const MESSAGE = Buffer.alloc(100, 'x');
const WARM_UP = 20;

/** Resolves with one-way times in milliseconds. */
export async function hop({ url, from, to, untilMs }: HopOrder, stop: AbortSignal): Promise<Float64Array> {
  const model = await connect(url, { noDelay: true });
  const channel = await model.createChannel();
  for (const queue of [from, to]) {
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  }
  const times: number[] = [];
  let sentAt = 0;
  const send = () => {
    sentAt = performance.now();
    channel.sendToQueue(to, MESSAGE, { persistent: true });
  };
  const deadline = untilMs === undefined ? undefined : performance.now() + untilMs - monotonicMs();
  const finished = new Promise<void>((resolve) => {
    stop.addEventListener('abort', () => resolve(), { once: true });
    void channel.consume(from, (message) => {
      if (message === null) return;
      times.push((performance.now() - sentAt) / 2);
      channel.ack(message);
      if (deadline !== undefined && performance.now() >= deadline) resolve();
      else send();
    });
  });
  if (deadline !== undefined) send();
  await finished;
  if (deadline !== undefined) for (const queue of [from, to]) await channel.deleteQueue(queue);
  await model.close().catch(() => {});
  return Float64Array.from(times.slice(Math.min(WARM_UP, times.length >> 1)));
}
