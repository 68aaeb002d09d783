import { expect, onTestFinished, test } from 'vitest';
import { oneAfterTheOther, openChannel, type Span, startExample, unique } from './start.ts';

interface Done extends Span {
  readonly id: number;
  readonly customer: number;
  readonly worker: number;
  readonly fence: string;
}

test('jobs of one customer are done one after the other on two workers, and all are done', async () => {
  const queue = unique('jobs');
  const workers = [1, 2].map(() => startExample('queue-consumer.ts', { QUEUE: queue }));
  for (const worker of workers)
    await worker.next(({ ready }: { ready?: true }) => ready === true, { timeoutMs: 30_000 });
  const channel = await openChannel();
  onTestFinished(() => channel.deleteQueue(queue).then(() => {}));
  const jobs = Array.from({ length: 40 }, (_, id) => ({ id, customer: id % 4 }));
  for (const job of jobs) channel.sendToQueue(queue, Buffer.from(JSON.stringify(job)));

  const done: Done[] = [];
  const collect = async (worker: (typeof workers)[number]) => {
    while (done.length < jobs.length) {
      const message = await worker
        .next((each: Partial<Done>) => each.id !== undefined, { timeoutMs: 2_000 })
        .catch(() => undefined);
      if (message !== undefined) done.push(message as Done);
    }
  };
  await Promise.all(workers.map(collect));
  expect(done.map(({ id }) => id).sort((a, b) => a - b)).toEqual(jobs.map(({ id }) => id));
  expect(new Set(done.map(({ worker }) => worker)).size).toBe(2);
  for (const customer of [0, 1, 2, 3]) {
    const own = done.filter((each) => each.customer === customer).sort((a, b) => a.startedAt - b.startedAt);
    expect(oneAfterTheOther(own), `customer ${customer}`).toBe(true);
    const fences = own.map(({ fence }) => BigInt(fence));
    expect(fences).toEqual(fences.toSorted((a, b) => (a < b ? -1 : 1)));
  }
  expect(oneAfterTheOther(done), 'different customers are served side by side').toBe(false);
  for (const worker of workers) expect(await worker.kill('SIGTERM')).toEqual({ code: 0, signal: null });
});
