import { connect as connectAmqp } from 'amqplib';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../../src/index.ts';
import { lockQueueName } from '../../../src/protocol/queues.ts';
import { sharedBroker } from '../../support/broker/index.ts';

const { url, version, control } = sharedBroker();
const [major = 0, minor = 0] = version.split('.').map(Number);
/** From 4.3 on the log is truncated by the broker, and nothing has to be done. */
const growsForEver = major < 4 || (major === 4 && minor < 3);
const RETURNS = 100_001;
/** 4.0.5 truncates at its latest checkpoint, of which it makes one in 16,384 entries; 3.10.8 at the moment itself. */
const CHECKPOINT_ENTRIES = 16_384;

/** Entries of the queue's Raft log that the broker still keeps, by its own books. A line each so that it can be read. */
async function logEntries(queue: string): Promise<number> {
  const status = `[S | _] = rabbit_quorum_queue:status(<<"/">>, <<"${queue}">>)`;
  const get =
    'G = fun(K) -> case proplists:get_value(K, S) of N when is_integer(N), N > 0 -> N; _ -> 0 end end';
  const kept = 'max(G(<<"Log Index">>), G(<<"Last Log Index">>)) - G(<<"Snapshot Index">>)';
  return Number(await control?.eval(`${status}, ${get}, ${kept}.`));
}

/** Returns the free token that often, as a very long life of a lock would. */
async function wearOut(queue: string): Promise<void> {
  const connection = await connectAmqp(url, { noDelay: true });
  const channel = await connection.createChannel();
  await channel.prefetch(1);
  await new Promise<void>((resolve, reject) => {
    let returned = 0;
    const onToken = (message: Parameters<Parameters<typeof channel.consume>[1]>[0]) => {
      if (message === null) return reject(new Error('cancelled'));
      if (returned === RETURNS) return resolve();
      returned += 1;
      channel.nack(message, false, true);
    };
    channel.consume(queue, onToken).catch(reject);
  });
  await channel.close();
  await connection.close();
}

test.runIf(growsForEver && control !== undefined)(
  'below 4.3 a holder whose token has come back 100,000 times releases by starting over: the log is short again, waiters are granted, fences rise',
  { timeout: 900_000 },
  async () => {
    const name = `long:${process.pid}:${Date.now()}`;
    const queue = lockQueueName('default', name);
    const baton = await connect(url);
    onTestFinished(() => baton.close({ drainMs: 0 }));
    const first = await baton.lock(name).acquire();
    await first.release();
    await wearOut(queue);
    expect(await logEntries(queue), 'entries that the returns left').toBeGreaterThan(RETURNS);
    const old = await baton.lock(name).acquire({ timeoutMs: 10_000 });
    expect(old.fence - first.fence).toBeGreaterThan(BigInt(RETURNS - 1));
    const waiters = [1, 2, 3].map(() => baton.lock(name).acquire({ timeoutMs: 30_000 }));
    await old.release();
    let last = old.fence;
    for (const waiter of waiters) waiter.then((lease) => lease.release()).catch(() => {});
    for (const lease of await Promise.all(waiters)) expect(lease.fence).toBeGreaterThan(old.fence);
    for (const lease of (await Promise.all(waiters)).sort((a, b) => (a.fence < b.fence ? -1 : 1))) {
      expect(lease.fence).toBeGreaterThan(last);
      last = lease.fence;
    }
    expect(await logEntries(queue)).toBeLessThan(CHECKPOINT_ENTRIES + 100);
    const again = await baton.lock(name).acquire({ timeoutMs: 10_000 });
    expect(again.fence).toBeGreaterThan(last);
    await again.release();
  },
);
