import { connect as connectAmqp } from 'amqplib';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/index.ts';
import { lockQueueName } from '../../src/protocol/topology.ts';
import { sharedBroker } from '../support/broker/index.ts';

const { url, version, control } = sharedBroker();
const [major = 0, minor = 0] = version.split('.').map(Number);
/** From 4.3 on the log is truncated by the broker, and nothing has to be done. */
const growsForEver = major < 4 || (major === 4 && minor < 3);
const RETURNS = 100_001;

/** Bytes of the queue's own segments; the write-ahead log is everybody's. */
async function logBytes(): Promise<number> {
  const sum = 'filelib:fold_files(D, "segment$", true, fun(F, A) -> filelib:file_size(F) + A end, 0)';
  return Number(await control?.eval(`{ok, D} = application:get_env(ra, data_dir), ${sum}.`));
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
  { timeout: 240_000 },
  async () => {
    const name = `long:${process.pid}:${Date.now()}`;
    const queue = lockQueueName('default', name);
    const baton = await connect(url);
    onTestFinished(() => baton.close({ drainMs: 0 }));
    const first = await baton.lock(name).acquire();
    await first.release();
    const before = await logBytes();
    await wearOut(queue);
    const worn = await logBytes();
    expect(worn - before, 'bytes that the returns left').toBeGreaterThan(RETURNS * 50);
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
    await expect.poll(logBytes, { timeout: 20_000 }).toBeLessThan(before + (worn - before) / 10);
    const again = await baton.lock(name).acquire({ timeoutMs: 10_000 });
    expect(again.fence).toBeGreaterThan(last);
    await again.release();
  },
);
