import { lockQueueArguments } from '../../../src/protocol/queues.ts';

/** How returns are counted, when a deletion is told, and what a dropped link does: all that differs between versions. */
export type Version = '3.10' | '4.0' | '4.3';

/** The two queues of a lock. They are led, deleted and served apart from each other. */
export type QueueName = 'lock' | 'register';
export const QUEUES: readonly QueueName[] = ['lock', 'register'];

export interface Message {
  /** For people and checks; never on the wire. */
  readonly label: string;
  readonly body: Uint8Array;
  /** `x-acquired-count` + `x-delivery-count`. */
  readonly returns: number;
  /** `x-delivery-count`, which the delivery limit is compared with. */
  readonly failures: number;
  readonly expiresAt: number | undefined;
}

/** `x-acquired-count` − `x-delivery-count`, as a client reads it: undefined without the first one. */
export function nackedOf(version: Version, { returns, failures }: Message): number | undefined {
  const acquired = version === '4.3' ? returns - failures : 0;
  return acquired === 0 ? undefined : acquired - failures;
}

/** What a client writes, to the lock's queue unless it says `of`. `look` is a passive declare; on a consuming channel it is the barrier of a try. */
export type ClientFrame =
  | { readonly do: 'look' | 'declare' | 'delete' | 'purge' | 'cancel' | 'close'; readonly of?: QueueName }
  /** basic.qos with the global flag, with a limit and without. */
  | { readonly do: 'limit' | 'unlimit' }
  /** `prefetch`: 1 unless it was set. */
  | { readonly do: 'consume'; readonly of?: QueueName; readonly prefetch?: number }
  | {
      readonly do: 'publish';
      readonly of?: QueueName | undefined;
      readonly label: string;
      readonly body: Uint8Array;
      readonly expirationMs?: number | undefined;
      /** For a history that is not played: how often the message has come back already. */
      readonly returns?: number | undefined;
    }
  | { readonly do: 'requeue' | 'reject' | 'ack'; readonly deliveryTag: number };

/** What a client reads. `returned` is basic.return and the confirm behind it; `closed` is channel.close by the broker. */
export type ServerFrame =
  | { readonly is: 'declare-ok'; readonly ready: number; readonly consumers: number }
  | { readonly is: 'delete-ok' | 'purge-ok' | 'cancel-ok' | 'close-ok' | 'confirm' | 'returned' }
  | { readonly is: 'consume-ok' | 'cancel'; readonly of: QueueName }
  | { readonly is: 'closed'; readonly code: 403 | 404 | 406 }
  | {
      readonly is: 'deliver';
      readonly of: QueueName;
      readonly deliveryTag: number;
      readonly message: Message;
      /** The how manieth hand-out of the queue this was, on the leader's log. */
      readonly handOut: number;
    };

/** What a channel's process asks of the queue's leader. `down` is its own end, seen by the leader's monitor. */
export type Command =
  | { readonly ask: 'stat' | 'delete' | 'purge' | 'cancel' | 'down' }
  | { readonly ask: 'checkout'; readonly prefetch: number }
  | { readonly ask: 'enqueue'; readonly message: Message }
  | { readonly ask: 'settle' | 'return' | 'return-failed'; readonly handOut: number };

/** What the leader sends to a channel's process. */
export type Effect =
  | { readonly tell: 'reply'; readonly frame: ServerFrame }
  | { readonly tell: 'confirm' | 'gone' }
  | { readonly tell: 'deliver'; readonly message: Message; readonly handOut: number };

/** A message with a consumer; an ack or a return names the hand-out. */
export interface Held {
  readonly message: Message;
  readonly handOut: number;
}

/** A consumer as the queue knows it. */
export interface Consumer {
  readonly channel: number;
  readonly prefetch: number;
  /** Unacked, in the order of their hand-outs; no more than the prefetch. */
  readonly held: readonly Held[];
  /** `suspected`: the link to its node is down. */
  readonly status: 'up' | 'suspected';
  /** Attached to a queue that took the place of its own without a word (3.10): nothing it is handed arrives. */
  readonly deaf: boolean;
}

export interface Queue {
  /** Given back, served before the others. */
  returned: Message[];
  fresh: Message[];
  active: Consumer | undefined;
  waiting: Consumer[];
  /** Cancelled with a message still unacked. */
  cancelled: Consumer[];
  /** Being deleted (4.x): consumers know already, a look still finds it. The channel that waits for delete-ok. */
  dyingFor: number | undefined;
}

export interface Channel {
  readonly id: number;
  readonly connection: number;
  readonly node: number;
  /** The broker's end. */
  isOpen: boolean;
  /** Queues with a consumer on it. */
  consumes: readonly QueueName[];
  /** With a limit for the channel as a whole its consumers are not attached to another queue (3.10). */
  limited: boolean;
  /** A request to a leader is unanswered: the frames behind it wait. */
  busy: { readonly do: ClientFrame['do']; readonly of: QueueName } | undefined;
  lastTag: number;
  unacked: readonly { readonly deliveryTag: number; readonly of: QueueName; readonly handOut: number }[];
  /** Client to node, node to leaders, leaders to node, node to client. */
  up: ClientFrame[];
  toQueue: Record<QueueName, Command[]>;
  fromQueue: Record<QueueName, Effect[]>;
  down: ServerFrame[];
}

export interface Connection {
  readonly id: number;
  readonly node: number;
  isOpen: boolean;
  /** It published during an alarm: the broker does not read from it and does not watch its heartbeat. */
  blocked: boolean;
  /** Its user may not publish. */
  readonly readsOnly: boolean;
}

/** `stalled`: nothing passes and nobody knows. `down`: both ends know. `given-up`: consumers there were suspected, too. */
export type LinkState = 'up' | 'stalled' | 'down' | 'given-up';

/** A consumer that has not heard yet that its queue was deleted (3.10). */
export interface Untold {
  readonly of: QueueName;
  readonly channel: number;
  readonly prefetch: number;
  readonly tellAt: number;
}

export type Taken = 'channel' | 'connection' | 'link' | 'restart' | 'deleted' | 'nack' | 'reject';

/** What happened on the leader, for checks. Emptied by anybody who reads it. */
export type ModelEvent = { readonly of: QueueName } & (
  | {
      /** `deposed`: active no more, because of its link. `unseated`: its queue was deleted. `forgotten`: nobody will tell it, because there is another queue by now. */
      readonly was: 'attached' | 'deposed' | 'unseated' | 'forgotten' | 'queue-created' | 'queue-deleted';
      readonly channel: number;
    }
  | { readonly was: 'handed'; readonly channel: number; readonly message: Message; readonly handOut: number }
  | { readonly was: 'taken'; readonly channel: number; readonly message: Message; readonly why: Taken }
  | { readonly was: 'purged' }
  | { readonly was: 'acked'; readonly channel: number; readonly message: Message }
  | {
      readonly was: 'destroyed';
      readonly message: Message;
      readonly why: 'purge' | 'policy' | 'limit' | 'ttl' | 'deleted' | 'unrouted';
    }
);

/** A broker with the queues of one lock, or without: plain data, changed only by the functions of this folder. */
export interface Model {
  readonly version: Version;
  /** Milliseconds. */
  now: number;
  leaders: Record<QueueName, number>;
  alarm: boolean;
  /** A policy: the next return destroys the message (delivery limit), or nothing does. */
  destroyNextReturn: boolean;
  /** How many returns a message survives. */
  readonly deliveryLimit: number;
  /** Of each node to all others. */
  links: LinkState[];
  queues: Record<QueueName, Queue | undefined>;
  untold: readonly Untold[];
  connections: Map<number, Connection>;
  channels: Map<number, Channel>;
  handOuts: number;
  lastId: number;
  events: ModelEvent[];
}

/** A broker without queues. Those that are declared have these arguments. */
export function createModel(
  version: Version,
  nodes = 1,
  { 'x-delivery-limit': limit }: Record<string, unknown> = lockQueueArguments(),
): Model {
  // Without a limit 4.x takes 20; 3.x takes -1 literally (seen).
  const ofVersion = version === '3.10' ? Number.POSITIVE_INFINITY : 20;
  const literal = typeof limit === 'number' ? limit : ofVersion;
  return {
    version,
    now: 0,
    leaders: { lock: 0, register: 0 },
    alarm: false,
    destroyNextReturn: false,
    deliveryLimit: literal < 0 && version !== '3.10' ? Number.POSITIVE_INFINITY : literal,
    links: Array.from({ length: nodes }, () => 'up'),
    queues: { lock: undefined, register: undefined },
    untold: [],
    connections: new Map(),
    channels: new Map(),
    handOuts: 0,
    lastId: 0,
    events: [],
  };
}

/** A copy that shares only what never changes (messages, frames, consumers). */
export function cloneModel(model: Model): Model {
  const connections = new Map<number, Connection>();
  for (const [id, connection] of model.connections) connections.set(id, { ...connection });
  const channels = new Map<number, Channel>();
  for (const [id, channel] of model.channels) {
    const { up, toQueue, fromQueue, down } = channel;
    channels.set(id, {
      ...channel,
      up: up.slice(),
      toQueue: { lock: toQueue.lock.slice(), register: toQueue.register.slice() },
      fromQueue: { lock: fromQueue.lock.slice(), register: fromQueue.register.slice() },
      down: down.slice(),
    });
  }
  return {
    ...model,
    leaders: { ...model.leaders },
    links: model.links.slice(),
    queues: { lock: cloneQueue(model.queues.lock), register: cloneQueue(model.queues.register) },
    connections,
    channels,
    events: model.events.slice(),
  };
}

function cloneQueue(queue: Queue | undefined): Queue | undefined {
  return (
    queue && {
      ...queue,
      returned: queue.returned.slice(),
      fresh: queue.fresh.slice(),
      waiting: queue.waiting.slice(),
      cancelled: queue.cancelled.slice(),
    }
  );
}
