import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'amqplib';
import { decodeMessage } from '../../../src/protocol/token.ts';
import type { HistoryEventOf } from '../history.ts';
import type { NewEvent } from './journal.ts';
import { queueOf } from './queues.ts';
import type { Build } from './settings.ts';

/** Longer than a probe lives. */
const PATIENCE_MS = 5_000;

/** What lies in the queues of these locks once every worker has left: taken in hand, counted, given back. */
export async function inspectLeft(url: string, build: Build, locks: readonly string[]): Promise<NewEvent[]> {
  const connection = await connect(url, { noDelay: true });
  connection.on('error', () => {});
  try {
    const events: NewEvent[] = [];
    for (const lock of locks)
      events.push({ type: 'left', lock, ...(await inspect(connection, build, lock)) });
    return events;
  } finally {
    await connection.close().catch(() => {});
  }
}

type Found = Required<Pick<HistoryEventOf<'left'>, 'tokens' | 'foreignMessages' | 'returns'>>;

async function inspect(
  connection: Awaited<ReturnType<typeof connect>>,
  build: Build,
  lock: string,
): Promise<Found> {
  const queue = queueOf(build, lock);
  for (const deadline = Date.now() + PATIENCE_MS; ; await pause(250)) {
    const channel = await connection.createChannel();
    channel.on('error', () => {});
    const returns: number[] = [];
    let foreignMessages = 0;
    try {
      const { messageCount } = await channel.checkQueue(queue);
      let seen = 0;
      await channel.consume(queue, (message) => {
        if (message === null) return;
        seen += 1;
        const { headers = {} } = message.properties;
        const count = Number(headers['x-acquired-count'] ?? 0) + Number(headers['x-delivery-count'] ?? 0);
        if (build === 'naive' || decodeMessage(message.content, count, lock).kind === 'token')
          returns.push(count);
        else foreignMessages += 1;
      });
      for (const until = Date.now() + 1_000; seen < messageCount && Date.now() < until; ) await pause(10);
    } catch {
      // No such queue: nothing is left of the lock.
    }
    await channel.close().catch(() => {});
    // A token on its way back from a worker that has just left is not there yet.
    if (returns.length > 0 || Date.now() > deadline)
      return { tokens: returns.length, foreignMessages, returns };
  }
}
