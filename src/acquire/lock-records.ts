import { v7 as uuid } from 'uuid';
import { publish } from '../callbacks.ts';
import type { Clock } from '../clock.ts';
import { type LockTrace, probeChannel, seedChannel } from '../diagnostics.ts';
import { type BatonError, isBatonError, QueueMismatchError } from '../errors.ts';
import type { Settings } from '../options.ts';
import { FENCES_PER_RETURN, nextBase } from '../protocol/fence.ts';
import type { LockBroker, QueueDepth } from '../protocol/port.ts';
import {
  type ConsumerIdentity,
  type LockPlace,
  lockPlace,
  processName,
  registerQueueName,
} from '../protocol/queues.ts';
import { type Entry, encodeEntry } from '../protocol/register/entry.ts';
import { encodeProbe, encodeToken } from '../protocol/token.ts';
import {
  IDLE_WATCH,
  PROBE_TTL_MS,
  type TokenWatch,
  type TokenWatchEvent,
  watch,
  watchWakeAt,
} from '../protocol/token-watch.ts';

/** Names remembered when nobody uses them; beyond it the longest unused is forgotten. About 1 MB. */
const IDLE_NAMES = 10_000;

/** How long after its own release a process does not take "nothing ready" for "somebody else holds it"; opening.ts bounds it. */
const JUST_RELEASED_MS = 250;

type Calls = { look: QueueDepth | 'absent'; declare: QueueDepth; seed: undefined; probe: undefined };

interface Parts {
  readonly settings: Settings;
  readonly broker: LockBroker;
  readonly clock: Clock;
  readonly identity: ConsumerIdentity;
  readonly random: () => number;
}

/** What one process knows of one queue, across all attempts: the highest fence, whether it is there, the watch over its token. */
export class LockRecord {
  /** What its token is called: the name of the lock, or its slot. */
  readonly name: string;
  readonly queue: string;
  /** When the broker deletes the queue that nobody uses; Infinity is never. */
  idleExpiryMs = Number.POSITIVE_INFINITY;
  /** The queue of its register; only locks without slots have one. */
  readonly register: string;
  /** Highest fence seen of any token of this name. */
  highestSeen = 0n;
  /** When this process last heard that the queue is no more, on the monotonic clock. */
  queueEndedAt: number | undefined;
  /** The register's queue was seen. */
  registerKnown = false;
  /** Contenders that use this record. */
  users = 0;
  readonly #parts: Parts;
  readonly #underWay = new Map<string, Promise<unknown>>();
  #known = false;
  #wasInLine = false;
  #tokenWatch: TokenWatch = IDLE_WATCH;
  #releasedAt = Number.NEGATIVE_INFINITY;
  #cancelTimer: (() => void) | undefined;

  constructor({ queue, tokenName }: LockPlace, parts: Parts) {
    this.name = tokenName;
    this.queue = queue;
    this.register = registerQueueName(parts.settings.namespace, tokenName);
    this.#parts = parts;
  }

  saw(fence: bigint): void {
    if (fence > this.highestSeen) this.highestSeen = fence;
    this.#watch({ type: 'token-seen' });
  }

  /** Whether the queue was seen and may be consumed without a look: somebody of this process has been in its line. */
  get known(): boolean {
    return this.#known;
  }

  set known(known: boolean) {
    this.#known = known;
    if (known) this.#wasInLine = true;
  }

  /** The queue that this process knew is no more, and its token with it; who had that may not know. */
  queueEnded(): void {
    this.queueEndedAt = this.#parts.clock.now().mono;
  }

  /** A channel of this name was closed: the token follows, in 0.7 ms on an idle broker and later on a busy one. */
  released(): void {
    this.#releasedAt = this.#parts.clock.now().mono;
  }

  get justReleased(): boolean {
    return this.#parts.clock.now().mono - this.#releasedAt < JUST_RELEASED_MS;
  }

  joined(): void {
    this.#watch({ type: 'joined' });
  }

  left(): void {
    this.#watch({ type: 'left' });
  }

  async look(): Promise<QueueDepth | 'absent'> {
    const wasInLine = this.#wasInLine;
    const depth = await this.#parts.broker.look(this.queue);
    if (depth !== 'absent') this.#watch({ type: 'looked', ready: depth.ready });
    else if (wasInLine) this.queueEnded();
    return depth;
  }

  async declare(): Promise<QueueDepth> {
    const wasInLine = this.#wasInLine;
    const depth = await this.#parts.broker.declare(this.queue, this.idleExpiryMs);
    // Made by this declaration, or without a token: the one that this process waited for has gone in either case.
    if (wasInLine && depth.ready === 0 && depth.consumers === 0) this.queueEnded();
    return depth;
  }

  /** Publishes a new token, above the clock and above every fence this process has seen for the name. */
  async seed(): Promise<undefined> {
    const at = this.#parts.clock.now().wall;
    const token = {
      id: uuid(),
      name: this.name,
      base: this.#nextBase(at),
      fencesPerReturn: FENCES_PER_RETURN,
      by: this.#by(),
      at,
    };
    await this.#parts.broker.publish(this.queue, encodeToken(token));
    publish(seedChannel, { ...this.#trace(), again: this.highestSeen > 0n });
  }

  /** Publishes what does no harm: nobody is handed it while there is a token, and it expires. */
  async probe(): Promise<undefined> {
    const { broker, clock } = this.#parts;
    const probe = { id: uuid(), name: this.name, by: this.#by(), at: clock.now().wall };
    await broker.publish(this.queue, encodeProbe(probe), { expirationMs: PROBE_TTL_MS });
  }

  /** Makes sure that there is a register. Says whether it shows nothing and nobody; asks only if it is not known. */
  async declareRegister(): Promise<{ empty: boolean }> {
    if (this.registerKnown) return { empty: false };
    const { ready, consumers } = await this.#parts.broker.declare(this.register);
    this.registerKnown = true;
    return { empty: ready === 0 && consumers === 0 };
  }

  writeRegister(entry: Omit<Entry, 'id'>): Promise<void> {
    const { broker, clock } = this.#parts;
    const origin = { name: this.name, by: this.#by(), at: clock.now().wall };
    return broker.publish(this.register, encodeEntry({ id: uuid(), ...entry }, origin));
  }

  /** Drops what is ready; what somebody holds stays. Nothing is dropped when no token could be made afterwards. */
  async purge(): Promise<void> {
    this.#nextBase(this.#parts.clock.now().wall);
    await this.#parts.broker.purge(this.queue);
  }

  /** Like the call itself, but a thousand contenders that open at once share one look, one declare and one seed. */
  shared<K extends keyof Calls>(call: K): Promise<Calls[K]> {
    const running = this.#underWay.get(call) as Promise<Calls[K]> | undefined;
    if (running !== undefined) return running;
    const started = (this[call]() as Promise<Calls[K]>).finally(() => this.#underWay.delete(call));
    this.#underWay.set(call, started);
    return started;
  }

  dispose(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#tokenWatch = IDLE_WATCH;
  }

  #trace(): LockTrace {
    return { lock: this.name, service: this.#parts.identity.service };
  }

  #by(): string {
    return processName(this.#parts.identity);
  }

  #nextBase(wallMs: number): bigint {
    try {
      return nextBase(wallMs, this.highestSeen);
    } catch (cause) {
      const message = `no fence is left for lock ${JSON.stringify(this.name)}: its token or its register (queue ${this.register}) had one at the end of int64, ${this.highestSeen}; nothing was changed. Delete the queue that has it, and start this process again, or use another name`;
      throw new QueueMismatchError(message, { cause });
    }
  }

  #watch(event: TokenWatchEvent): void {
    const { clock, settings, random } = this.#parts;
    const nowMono = clock.now().mono;
    const before = watchWakeAt(this.#tokenWatch);
    const [tokenWatch, todo] = watch(this.#tokenWatch, event, {
      nowMono,
      healAfterMs: settings.healAfterMs,
      jitter: random(),
    });
    this.#tokenWatch = tokenWatch;
    if (todo === 'look') this.#inBackground(this.look());
    if (todo === 'probe') this.#inBackground(this.#probeForToken());
    const at = watchWakeAt(tokenWatch);
    if (at === before && event.type !== 'wake') return;
    this.#cancelTimer?.();
    this.#cancelTimer =
      at === undefined ? undefined : clock.setTimer(at, () => this.#watch({ type: 'wake' }));
  }

  #probeForToken(): Promise<undefined> {
    this.#parts.settings.logger.info({ lock: this.name }, 'no token seen for healAfterMs: probing');
    publish(probeChannel, this.#trace());
    return this.probe();
  }

  /** The watch asks again later, so a failure only needs to be told. */
  #inBackground(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      this.#parts.settings.logger.debug({ lock: this.name, err: error }, 'watching the queue failed');
    });
  }
}

/** The records of a coordinator, by queue. */
export class LockRecords {
  readonly #records = new Map<string, LockRecord>();
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * The record of a name, to be given back with {@link leave}.
   * @throws QueueMismatchError it is in use here with another idleExpiryMs, an argument of its queue
   */
  enter(name: string, idleExpiryMs = this.#parts.settings.idleExpiryMs): LockRecord {
    const { namespace, slots } = this.#parts.settings;
    const place = lockPlace(namespace, name, slots);
    const record = this.#records.get(place.queue) ?? new LockRecord(place, this.#parts);
    if (record.idleExpiryMs !== idleExpiryMs) {
      if (record.users > 0) throw otherExpiry(name, record.idleExpiryMs, idleExpiryMs);
      record.idleExpiryMs = idleExpiryMs;
      record.known = false; // so that the broker compares
    }
    record.users += 1;
    this.#records.delete(place.queue);
    this.#records.set(place.queue, record); // a Map keeps the order of insertion: the first is the longest unused
    return record;
  }

  leave(record: LockRecord): void {
    record.users -= 1;
    if (this.#records.size <= IDLE_NAMES) return;
    for (const [queue, candidate] of this.#records) {
      if (candidate.users === 0) {
        candidate.dispose();
        this.#records.delete(queue);
        return;
      }
    }
  }

  dispose(): void {
    for (const record of this.#records.values()) record.dispose();
    this.#records.clear();
  }
}

function otherExpiry(name: string, used: number, asked: number): QueueMismatchError {
  return new QueueMismatchError(
    `lock ${JSON.stringify(name)} is in use in this process with idleExpiryMs ${used}, so it cannot be used with ${asked} as well; give everybody the same value`,
  );
}

/** What a call on the broker failed with, as the protocol expects it. */
export function asBatonError(error: unknown): BatonError {
  if (isBatonError(error)) return error;
  throw error; // a bug of ours: never taken for a broker's answer
}
