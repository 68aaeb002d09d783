import { createHash } from 'node:crypto';

const SHORTSTR_BYTES = 255;
const READABLE_CHARS = 100;

/**
 * Arguments of a lock queue. They are a wire format: a client with others is answered 406.
 * The delivery limit must be there and large: none destroys the token at its 21st return on RabbitMQ 4, and -1
 * destroys it at the first on 3.x (measured on 3.10.8, 4.0.5, 4.3.6).
 */
export function lockQueueArguments(): Record<string, string | number | boolean> {
  return { 'x-queue-type': 'quorum', 'x-single-active-consumer': true, 'x-delivery-limit': 1_000_000_000 };
}

/**
 * The queue of a lock: `baton.<namespace>.lock.<name>`, so that one permission expression covers a namespace.
 * Names are percent-encoded UTF-8, with `:` `/` `@` left readable. What does not fit an AMQP short string becomes
 * `#<sha-256>.<beginning>`; `#` never begins an encoded name, so the two forms cannot collide.
 */
export function lockQueueName(namespace: string, name: string): string {
  return queueName(`baton.${namespace}.lock.`, name);
}

/** The queue of a lock's register: like that of the lock, with `state` in the place of `lock` and the same arguments. */
export function registerQueueName(namespace: string, name: string): string {
  return queueName(`baton.${namespace}.state.`, name);
}

function queueName(prefix: string, name: string): string {
  const escaped = escapeName(name);
  if (prefix.length + escaped.length <= SHORTSTR_BYTES) return prefix + escaped;
  const hash = createHash('sha256').update(name, 'utf8').digest('base64url');
  return `${prefix}#${hash}.${escaped.slice(0, READABLE_CHARS)}`;
}

/** Who stands behind a consumer, for the broker's own tools. */
export interface ConsumerIdentity {
  readonly service: string;
  readonly host: string;
  readonly pid: number;
}

/** `service@host/pid`. */
export function processName({ service, host, pid }: ConsumerIdentity): string {
  return `${service}@${host}/${pid}`;
}

/** `service@host/pid/id/name`: the broker's own tools show who holds (the active consumer) and who waits. */
export function consumerTag({ service, host, pid }: ConsumerIdentity, id: string, name: string): string {
  const head = `${escapeName(service).slice(0, 96)}@${escapeName(host).slice(0, 64)}/${pid}/${id}/`;
  return head + escapeName(name).slice(0, SHORTSTR_BYTES - head.length);
}

function escapeName(name: string): string {
  return encodeURIComponent(name).replaceAll('%3A', ':').replaceAll('%2F', '/').replaceAll('%40', '@');
}

/** What a client must mind when a queue is gone. */
export interface Recreation {
  /** How long a deleted queue stays away before it is made again, in milliseconds. */
  readonly recreateAfterMs: number;
  /** Whether to look, before a name is declared for the first time, if there is a queue: it may just have been deleted. */
  readonly looksFirst: boolean;
}

/**
 * Everybody waits a moment, so that the holder of a deleted lock finds its queue gone, and is told, before a rival is
 * granted. On RabbitMQ 3.10.8 more depends on it: a consumer hears of a deletion after 30 ms, and if there is a queue
 * of that name again by then, it is attached to that one without a word and what it is handed never reaches the client
 * (15 of 15 up to 20 ms, 0 of 15 from 30 ms on). 4.0.5 and 4.3.6 cancel it at once.
 */
export function recreation(brokerMajor: number): Recreation {
  return brokerMajor < 4
    ? { recreateAfterMs: 100, looksFirst: true }
    : { recreateAfterMs: 50, looksFirst: false };
}
