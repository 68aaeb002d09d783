import { once } from 'node:events';
import { type Channel, type ChannelModel, connect } from 'amqplib';
import type { Client, Open, Wait } from '../peer.ts';
import { unlessAborted } from '../unless-aborted.ts';

/** Without the limit RabbitMQ 4 drops the token at its 21st return, and there would be nothing to measure. */
const ARGUMENTS = {
  'x-queue-type': 'quorum',
  'x-single-active-consumer': true,
  'x-delivery-limit': 1_000_000_000,
};

/**
 * The floor: a token in a queue with a single active consumer, taken by anybody who is handed it and returned by the close
 * of the channel. Nothing is verified, nothing is fenced, nothing is healed, and a publish is not confirmed.
 */
export const open: Open = async (urls): Promise<Client> => {
  let model: Promise<ChannelModel> | undefined;
  const known = new Set<string>();
  let dials = 0;
  const dial = async (): Promise<ChannelModel> => {
    const url = urls[dials % urls.length] ?? '';
    dials += 1;
    const dialled = await connect(url, { noDelay: true });
    dialled.on('error', () => {});
    dialled.once('close', () => {
      model = undefined;
    });
    return dialled;
  };
  const connected = (): Promise<ChannelModel> => {
    model ??= dial().catch((error: unknown) => {
      model = undefined;
      throw error;
    });
    return model;
  };
  await connected();
  return {
    acquire: async (name, wait) => {
      const queue = `naive.${name}`;
      const opened = connected().then((open) => open.createChannel());
      const giveUp = () => void opened.then(close).catch(() => {});
      let fault: unknown;
      const taken = opened.then(async (channel) => {
        channel.on('error', (error) => {
          fault = error;
        });
        if (!known.has(queue)) await make(channel, queue);
        known.add(queue);
        await take(channel, queue, wait);
        return channel;
      });
      const channel = await unlessAborted(taken, wait.signal, giveUp).catch((error: unknown) => {
        throw fault ?? error;
      });
      return { release: () => close(channel) };
    },
    close: async () => {
      const last = model;
      await last?.then((open) => open.close()).catch(() => {});
    },
  };
};

async function make(channel: Channel, queue: string): Promise<void> {
  const { messageCount, consumerCount } = await channel.assertQueue(queue, {
    durable: true,
    arguments: ARGUMENTS,
  });
  if (messageCount === 0 && consumerCount === 0)
    channel.sendToQueue(queue, Buffer.from('token'), { persistent: true });
}

async function take(channel: Channel, queue: string, { placed }: Wait): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    // A consumer hears nothing of the end of its connection.
    channel.once('close', () => reject(new Error('the channel was closed')));
    // The broker handles the frames of a channel in order, so there is no answer to wait for.
    channel.prefetch(1).catch(reject);
    channel
      .consume(queue, (message) => {
        if (message === null) reject(new Error(`the broker cancelled the consumer of ${queue}`));
        else resolve();
      })
      .then(placed, reject);
  });
}

/** amqplib's own promise never settles when the connection ends between close and close-ok. */
async function close(channel: Channel): Promise<void> {
  await Promise.race([once(channel, 'close'), channel.close()]);
}
