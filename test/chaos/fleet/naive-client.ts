/**
 * A token lock on RabbitMQ as a team writes it in an afternoon: a single-active-consumer queue with one message in it.
 * Anybody who has it holds the lock; to release is to publish the next token, await the confirm, and ack this one. No
 * verification: it believes until it releases, or sees its channel close.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import type { Hold, LockClient, Wait } from './client.ts';
import { NAIVE_ARGUMENTS, queueOf } from './queues.ts';
import type { WorkerSettings } from './settings.ts';

const RETRY_MS = 500;

export async function openNaive({ urls, times }: WorkerSettings): Promise<LockClient> {
  let connection: Promise<ChannelModel> | undefined;
  let closed = false;

  async function dial(): Promise<ChannelModel> {
    for (let turn = 0; ; turn += 1) {
      if (closed) throw new Error('closed');
      const url = new URL(urls[turn % urls.length] ?? '');
      url.searchParams.set('heartbeat', String(times.heartbeatMs / 1_000));
      try {
        const opened = await connect(url.href, { noDelay: true, timeout: 5_000 });
        opened.on('error', () => {});
        opened.once('close', () => {
          connection = undefined;
        });
        return opened;
      } catch {
        await pause(RETRY_MS);
      }
    }
  }

  async function openChannel(): Promise<ConfirmChannel> {
    connection ??= dial();
    const channel = await (await connection).createConfirmChannel();
    channel.on('error', () => {});
    return channel;
  }

  return {
    acquire: async (lock, wait) => {
      const channel = await openChannel();
      try {
        return await waitOn(channel, queueOf('naive', lock), wait);
      } catch (error) {
        await channel.close().catch(() => {});
        throw error;
      }
    },
    close: async () => {
      closed = true;
      await connection?.then((open) => open.close()).catch(() => {});
    },
  };
}

async function waitOn(
  channel: ConfirmChannel,
  queue: string,
  { timeoutMs, signal }: Wait,
): Promise<Hold | undefined> {
  const { messageCount, consumerCount } = await channel.assertQueue(queue, {
    durable: true,
    arguments: NAIVE_ARGUMENTS,
  });
  if (messageCount === 0 && consumerCount === 0) publish(channel, queue, 1);
  else if (timeoutMs === 0 && messageCount === 0) {
    await channel.close();
    return undefined;
  }
  await channel.prefetch(1);
  return new Promise((resolve, reject) => {
    const limitMs = timeoutMs === 0 ? 200 : timeoutMs;
    const timer = limitMs === undefined ? undefined : setTimeout(() => giveUp('timed out'), limitMs);
    const giveUp = (why: string) => {
      clearTimeout(timer);
      reject(new Error(why));
    };
    signal?.addEventListener('abort', () => giveUp('aborted'), { once: true });
    let hold: Hold | undefined;
    let released = false;
    let lost: string | undefined;
    let onLost = (_reason: string) => {};
    const lose = (reason: string) => {
      if (released || lost !== undefined) return;
      lost = reason;
      if (hold === undefined) giveUp(reason);
      else onLost(reason);
    };
    channel.once('close', () => lose('closed'));
    channel
      .consume(queue, (message) => {
        if (message === null) return lose('consumer-cancelled');
        clearTimeout(timer);
        const { fence } = JSON.parse(message.content.toString()) as { fence: number };
        hold = {
          fence: String(fence),
          throwIfLost: () => {
            if (lost !== undefined) throw new Error(lost);
          },
          onLost: (callback) => {
            onLost = callback;
            if (lost !== undefined) callback(lost);
          },
          release: async () => {
            if (lost !== undefined) return;
            released = true;
            publish(channel, queue, fence + 1);
            await channel.waitForConfirms();
            channel.ack(message);
            await channel.close();
          },
        };
        resolve(hold);
      })
      .catch(reject);
  });
}

function publish(channel: ConfirmChannel, queue: string, fence: number): void {
  channel.sendToQueue(queue, Buffer.from(JSON.stringify({ fence })), { persistent: true });
}
