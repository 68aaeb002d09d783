import { createHash } from 'node:crypto';

const SHORTSTR_BYTES = 255;
const READABLE_CHARS = 100;
/** Four bytes of UTF-8, each `%` and two digits. */
const LONGEST_CHARACTER = 12;

/**
 * Arguments of a lock queue. They are a wire format: a client with others, `x-expires` included, is answered 406.
 * The delivery limit must be there and large: none destroys the token at its 21st return on RabbitMQ 4, and -1
 * destroys it at the first on 3.x (measured on 3.10.8, 4.0.5, 4.3.6).
 */
export function lockQueueArguments(
  idleExpiryMs = Number.POSITIVE_INFINITY,
): Record<string, string | number | boolean> {
  const args = {
    'x-queue-type': 'quorum',
    'x-single-active-consumer': true,
    'x-delivery-limit': 1_000_000_000,
  };
  return Number.isFinite(idleExpiryMs) ? { ...args, 'x-expires': idleExpiryMs } : args;
}

const KINDS = ['lock', 'slot', 'state', 'notices'] as const;

/** What a queue is for: the third word of its name. */
export type QueueKind = (typeof KINDS)[number];

/** A namespace has no dot. */
const prefixOf = (namespace: string, kind: QueueKind) => `baton.${namespace}.${kind}.`;

/** Whether a queue of this name is one of these kinds, in this namespace. */
export function isQueueOf(namespace: string, queue: string, ...kinds: readonly QueueKind[]): boolean {
  return kinds.some((kind) => queue.startsWith(prefixOf(namespace, kind)));
}

/** The kind of a queue in any namespace. Undefined for one that is not of batonmq. */
export function queueKind(queue: string): QueueKind | undefined {
  const [, namespace = ''] = queue.split('.', 2);
  return KINDS.find((kind) => isQueueOf(namespace, queue, kind));
}

/** A regular expression over the names of these kinds, for the broker's management API. */
export function queuePattern(namespace: string, ...kinds: readonly QueueKind[]): string {
  return `^baton\\.${namespace}\\.(?:${kinds.join('|')})\\.`;
}

/** Where a lock lives: its queue, and the name that the token in it carries. */
export interface LockPlace {
  readonly queue: string;
  readonly tokenName: string;
}

/** A queue of its own for every name, or with `slots` one of that many queues, which it shares with other names. */
export function lockPlace(namespace: string, name: string, slots: number | undefined): LockPlace {
  if (slots === undefined) return { queue: lockQueueName(namespace, name), tokenName: name };
  const tokenName = `${slotOf(name, slots)}-of-${slots}`;
  return { queue: prefixOf(namespace, 'slot') + tokenName, tokenName };
}

/** The slot of a name, 0 to slots - 1. A wire format: clients that count otherwise do not exclude each other. */
export function slotOf(name: string, slots: number): number {
  return createHash('sha256').update(name, 'utf8').digest().readUIntBE(0, 6) % slots;
}

/**
 * The queue of a lock: `baton.<namespace>.lock.<name>`, so that one permission expression covers a namespace.
 * Names are percent-encoded UTF-8, with `:` `/` `@` left readable. What does not fit an AMQP short string becomes
 * `#<sha-256>.<beginning>`; `#` never begins an encoded name, so the two forms cannot collide.
 */
export function lockQueueName(namespace: string, name: string): string {
  return queueName(prefixOf(namespace, 'lock'), name);
}

/** The queue of a lock's register: like that of the lock, with `state` in the place of `lock` and the same arguments. */
export function registerQueueName(namespace: string, name: string): string {
  return queueName(prefixOf(namespace, 'state'), name);
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

/**
 * What tells two places in line apart, and when the place was taken: epoch milliseconds in 12 hex digits, and the last 6
 * of `random`. The broker itself tells nobody how long a consumer has been there.
 */
export function contenderId(wallMs: number, random: string): string {
  return Math.max(0, Math.floor(wallMs)).toString(16).padStart(12, '0') + random.slice(-6);
}

/** `service@host/pid/id/name`: the broker's own tools show who holds (the active consumer) and who waits. */
export function consumerTag({ service, host, pid }: ConsumerIdentity, id: string, name: string): string {
  const head = `${escapeName(service).slice(0, 96)}@${escapeName(host).slice(0, 64)}/${pid}/${id}/`;
  return head + escapeName(name).slice(0, SHORTSTR_BYTES - head.length);
}

/** The queue on which a session tells of its holds (notices.ts); it ends with its connection. */
export function noticeQueueName(namespace: string, id: string): string {
  return prefixOf(namespace, 'notices') + id;
}

/** Who stands behind a consumer, as far as its tag tells. */
export interface ConsumerClaim extends ConsumerIdentity {
  /** When it took its place in line, epoch milliseconds of its own clock. Other clients may not say. */
  readonly since: number | undefined;
  /** The lock's name; `…` at its end when the tag had no room for all of it. */
  readonly lock: string;
}

/** Reads a tag of {@link consumerTag}; undefined for one that is nothing of the kind. */
export function readConsumerTag(tag: string): ConsumerClaim | undefined {
  const [, service, host, pid, id = '', name = ''] =
    /^(.*?)@([^/@]*)\/(\d+)\/([^/]*)\/(.*)$/s.exec(tag) ?? [];
  if (service === undefined || host === undefined) return undefined;
  const since = /^[0-9a-f]{18}$/.test(id) ? Number.parseInt(id.slice(0, 12), 16) : undefined;
  const lock = tag.length < SHORTSTR_BYTES ? unescapeName(name) : `${unescapeBeginning(name)}…`;
  return { service: unescapeName(service), host: unescapeName(host), pid: Number(pid), since, lock };
}

/** Of a name that was cut off, perhaps in the middle of a character. */
function unescapeBeginning(escaped: string): string {
  const lengths = Array.from({ length: LONGEST_CHARACTER }, (_, cut) => escaped.length - cut);
  const whole = lengths.map((length) => escaped.slice(0, length)).find(isEscaped);
  return whole === undefined ? escaped : decodeURIComponent(whole);
}

/**
 * What lies behind the prefix of a lock queue's name: the lock's name, or the hash and beginning of a long one. Undefined
 * for a queue that no lock of batonmq is in.
 */
export function lockNameOf(namespace: string, queue: string): string | undefined {
  return nameBehind(prefixOf(namespace, 'lock'), queue);
}

/** Whose register is in a queue of this name, as {@link lockNameOf} tells it. */
export function registerNameOf(namespace: string, queue: string): string | undefined {
  return nameBehind(prefixOf(namespace, 'state'), queue);
}

function nameBehind(prefix: string, queue: string): string | undefined {
  if (!queue.startsWith(prefix)) return undefined;
  const escaped = queue.slice(prefix.length);
  if (escaped.startsWith('#')) return escaped;
  const name = unescapeName(escaped);
  return name.isWellFormed() && escapeName(name) === escaped ? name : undefined;
}

/**
 * The queue that these words can mean in the place of a lock's name: a queue's name, what {@link lockNameOf} tells of a
 * long name, and the token's name in a slot, unless `slots` say where the locks are.
 */
export function queueMeant(namespace: string, words: string, slots: number | undefined): string | undefined {
  if (isQueueOf(namespace, words, 'lock', 'slot')) return words;
  if (/^#[\w-]{43}\./.test(words)) return prefixOf(namespace, 'lock') + words;
  if (/^\d+-of-\d+$/.test(words) && slots === undefined) return prefixOf(namespace, 'slot') + words;
  return undefined;
}

function unescapeName(escaped: string): string {
  return isEscaped(escaped) ? decodeURIComponent(escaped) : escaped; // cut in the middle of a character
}

function isEscaped(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function escapeName(name: string): string {
  return encodeURIComponent(name).replaceAll('%3A', ':').replaceAll('%2F', '/').replaceAll('%40', '@');
}

/** What a client must mind when a queue is gone. */
export interface Recreation {
  /** How long a client waits before it recreates a deleted queue, in milliseconds. */
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
