import { connect as connectAmqp } from 'amqplib';
import {
  lockPlace,
  lockQueueArguments,
  lockQueueName,
  registerQueueName,
} from '../../../src/protocol/queues.ts';
import type { LockAddress } from '../../../src/testing/index.ts';
import type { QueueAccess, Scene } from '../contract.ts';

const queueOf = ({ name, namespace = 'default', slots }: LockAddress): string =>
  lockPlace(namespace, name, slots).queue;

/** The lock's queues through a plain AMQP connection of its own. */
export async function openQueueAccess(
  url: string,
  lock: string,
  onEnd: (cleanup: () => unknown) => void,
): Promise<Pick<Scene, 'queue' | 'register' | 'forget' | 'declareQueue'>> {
  const connection = await connectAmqp(url, { noDelay: true });
  connection.on('error', () => {}); // a broker restart is part of some tests
  onEnd(() => connection.close().catch(() => {}));
  const lockQueue = lockQueueName('default', lock);
  const register = registerQueueName('default', lock);
  const onChannel = async <T>(use: (channel: Awaited<ReturnType<typeof open>>) => Promise<T>): Promise<T> => {
    const channel = await open();
    const result = await use(channel);
    await channel.close();
    return result;
  };
  const open = async () => {
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => {});
    return channel;
  };
  // First in, last out: by then every coordinator of the test is closed.
  for (const queue of [lockQueue, register])
    onEnd(() => onChannel((channel) => channel.deleteQueue(queue)).catch(() => {}));
  const access = (queue: string): QueueAccess => ({
    put: (body, options) =>
      onChannel(async (channel) => {
        if (options?.returns !== undefined) throw new Error('a real broker counts returns by itself');
        await channel.assertQueue(queue, { durable: true, arguments: lockQueueArguments() });
        channel.sendToQueue(queue, Buffer.from(body), { persistent: true });
        await channel.waitForConfirms();
      }),
    purge: () => onChannel(async (channel) => void (await channel.purgeQueue(queue))),
    remove: () => onChannel(async (channel) => void (await channel.deleteQueue(queue))),
    replace: () =>
      onChannel(async (channel) => {
        await channel.deleteQueue(queue);
        await channel.assertQueue(queue, { durable: true, arguments: lockQueueArguments() });
      }),
    ready: () => onChannel(async (channel) => (await channel.checkQueue(queue)).messageCount),
    exists: (other) =>
      onChannel((channel) => channel.checkQueue(other === undefined ? queue : queueOf(other))).then(
        () => true,
        (error: { code?: number }) => {
          if (error.code === 404) return false;
          throw error;
        },
      ),
  });
  return {
    queue: access(lockQueue),
    register: access(register),
    declareQueue: (args) =>
      onChannel(
        async (channel) => void (await channel.assertQueue(lockQueue, { durable: true, arguments: args })),
      ),
    forget: (names, namespace = 'default', slots) =>
      onChannel(async (channel) => {
        for (const name of names) {
          await channel.deleteQueue(queueOf({ name, namespace, slots }));
          await channel.deleteQueue(registerQueueName(namespace, name));
        }
      }),
  };
}
