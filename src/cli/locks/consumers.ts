import { z } from 'zod';
import { type ConsumerClaim, isQueueOf, type QueueKind, readConsumerTag } from '../../protocol/queues.ts';
import { fields, flag, number, part, readRows, text } from '../management/answers.ts';
import type { Management } from '../management/client.ts';

/** Somebody who holds a lock or waits for it, as the broker and the consumer's own tag tell. */
export interface Contestant {
  readonly queue: string;
  readonly tag: string;
  readonly active: boolean;
  /** The connection's name at the broker, `peer -> broker`. */
  readonly connection: string;
  /** The broker's node that it is connected to. */
  readonly node: string;
  /** Undefined for a consumer that is not of batonmq. */
  readonly claim: ConsumerClaim | undefined;
  /** Its `x-priority`, which no client of batonmq gives. */
  readonly priority: number | undefined;
}

/** What a holder has put up about its hold. */
export interface Notice {
  readonly queue: string;
  readonly consumer: string;
  readonly fence: string;
  readonly since: number;
}

export interface Consumers {
  /** In the order in which they came, by their own clocks; those who do not say are last. */
  readonly contestants: readonly Contestant[];
  readonly notices: readonly Notice[];
}

const rowSchema = part({
  consumer_tag: text,
  active: flag,
  arguments: fields,
  queue: part({ name: text }),
  channel_details: part({ connection_name: text, node: text }),
});
const noticeSchema = z.object({
  queue: z.string(),
  consumer: z.string(),
  fence: z.string().regex(/^\d{1,19}$/),
  since: z.number(),
});

/** The consumers of a namespace's locks, and the notices of its holders. New ones are missing for up to 5 s. */
export async function readConsumers(management: Management, namespace: string): Promise<Consumers> {
  const columns =
    'consumer_tag,active,arguments,queue.name,channel_details.connection_name,channel_details.node';
  return consumersIn(await management.get(`consumers/${management.vhost}?columns=${columns}`), namespace);
}

/** In what the management API has answered. */
export function consumersIn(answer: unknown, namespace: string): Consumers {
  const rows = readRows(rowSchema, answer);
  const within = (...kinds: QueueKind[]) =>
    rows.filter(({ queue }) => isQueueOf(namespace, queue.name, ...kinds));
  const contestants = within('lock', 'slot').map((row) => ({
    queue: row.queue.name,
    tag: row.consumer_tag,
    active: row.active,
    connection: row.channel_details.connection_name,
    node: row.channel_details.node,
    claim: readConsumerTag(row.consumer_tag),
    priority: number.parse(row.arguments['x-priority']),
  }));
  const since = ({ claim }: Contestant) => claim?.since ?? Number.POSITIVE_INFINITY;
  return {
    contestants: contestants.sort((a, b) => (since(a) === since(b) ? 0 : since(a) - since(b))),
    notices: readRows(
      noticeSchema,
      within('notices').map((row) => row.arguments),
    ),
  };
}
