import { type ConsumerClaim, readConsumerTag } from '../../protocol/topology.ts';
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

/** The consumers of a namespace's locks, and the notices of its holders. New ones are missing for up to 5 s. */
export async function readConsumers(management: Management, namespace: string): Promise<Consumers> {
  const columns =
    'consumer_tag,active,arguments,queue.name,channel_details.connection_name,channel_details.node';
  const rows = await management.get(`consumers/${management.vhost}?columns=${columns}`);
  const read = (Array.isArray(rows) ? rows : []).map(readRow);
  const within = (...kinds: string[]) =>
    read.filter(({ queue }) => kinds.some((kind) => queue.startsWith(`baton.${namespace}.${kind}.`)));
  const contestants = within('lock', 'slot').map(({ arguments: _, ...row }) => ({
    ...row,
    claim: readConsumerTag(row.tag),
  }));
  const since = ({ claim }: Contestant) => claim?.since ?? Number.POSITIVE_INFINITY;
  return {
    contestants: contestants.sort((a, b) => (since(a) === since(b) ? 0 : since(a) - since(b))),
    notices: within('notices').flatMap(({ arguments: it }) => {
      const { queue, consumer, fence, since } = it;
      const complete =
        [queue, consumer, fence].every((text) => typeof text === 'string') && typeof since === 'number';
      return complete
        ? [{ queue: String(queue), consumer: String(consumer), fence: String(fence), since }]
        : [];
    }),
  };
}

function readRow(row: unknown) {
  const { consumer_tag, active, queue, channel_details, ...rest } = row as {
    consumer_tag?: unknown;
    active?: unknown;
    arguments?: unknown;
    queue?: { name?: unknown };
    channel_details?: { connection_name?: unknown; node?: unknown };
  };
  return {
    queue: String(queue?.name ?? ''),
    tag: String(consumer_tag ?? ''),
    active: active === true,
    connection: String(channel_details?.connection_name ?? ''),
    node: String(channel_details?.node ?? ''),
    arguments: (typeof rest.arguments === 'object' ? rest.arguments : {}) as Readonly<
      Record<string, unknown>
    >,
  };
}
