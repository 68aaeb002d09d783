import { v7 as uuid } from 'uuid';
import { publish } from '../callbacks.ts';
import type { Clock } from '../clock.ts';
import { type LockTrace, probeChannel, seedChannel } from '../diagnostics.ts';
import { type BatonError, isBatonError, QueueMismatchError } from '../errors.ts';
import type { Settings } from '../options.ts';
import { type ClientEvent, type ClientInputs, type ClientStep, clientStep } from '../protocol/client-step.ts';
import type { Rules } from '../protocol/contender/types.ts';
import { FENCES_PER_RETURN, nextBase } from '../protocol/fence.ts';
import {
  type Errand,
  type NameRecord,
  NEW_RECORD,
  type RecordEvent,
  recordStep,
} from '../protocol/name-record.ts';
import type { LockBroker, QueueDepth } from '../protocol/port.ts';
import {
  type ConsumerIdentity,
  type LockPlace,
  lockPlace,
  processName,
  registerQueueName,
} from '../protocol/queues.ts';
import { type Entry, encodeEntry } from '../protocol/register/entry.ts';
import type { StatefulState } from '../protocol/register/step.ts';
import { encodeProbe, encodeToken } from '../protocol/token.ts';
import { PROBE_TTL_MS, watchWakeAt } from '../protocol/token-watch.ts';

/** Names remembered when nobody uses them; beyond it the longest unused is forgotten. About 1 MB. */
const IDLE_NAMES = 10_000;

type Calls = { look: QueueDepth | 'absent'; declare: QueueDepth; seed: undefined; probe: undefined };

type ProcessInputs = Pick<ClientInputs, 'ranLately' | 'brokerMajor'>;
type AttemptStep = Pick<ClientStep, 'attempt' | 'effects'>;

interface Parts {
  readonly settings: Settings;
  readonly broker: LockBroker;
  readonly clock: Clock;
  readonly identity: ConsumerIdentity;
  readonly random: () => number;
}

/** What this process knows of one name (protocol/name-record.ts), and the calls that are made on its behalf. */
export class LockRecord {
  /** What its token is called: the name of the lock, or its slot. */
  readonly name: string;
  readonly queue: string;
  /** When the broker deletes the queue that nobody uses; Infinity is never. */
  idleExpiryMs = Number.POSITIVE_INFINITY;
  /** The queue of its register; only locks without slots have one. */
  readonly register: string;
  /** Contenders that use this record. */
  users = 0;
  /** What the latest call for it failed with, or the end of its channel; undefined once something was answered. */
  obstacle: BatonError | undefined;
  readonly #parts: Parts;
  readonly #underWay = new Map<string, Promise<unknown>>();
  #known: NameRecord = NEW_RECORD;
  #timerAt: number | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor({ queue, tokenName }: LockPlace, parts: Parts) {
    this.name = tokenName;
    this.queue = queue;
    this.register = registerQueueName(parts.settings.namespace, tokenName);
    this.#parts = parts;
  }

  get known(): NameRecord {
    return this.#known;
  }

  /** One event of an attempt that uses this record: what becomes of it, and what is to be done. */
  step(attempt: StatefulState, event: ClientEvent, process: ProcessInputs, rules: Rules): AttemptStep {
    const { clock, settings, random } = this.#parts;
    const { ranLately, brokerMajor } = process;
    const inputs = {
      now: clock.now(),
      healAfterMs: settings.healAfterMs,
      jitter: random,
      ranLately,
      brokerMajor,
    };
    const next = clientStep({ attempt, record: this.#known }, event, inputs, rules);
    this.#take(next.record, next.errands);
    return next;
  }

  hear(event: RecordEvent): void {
    const { clock, settings, random } = this.#parts;
    const inputs = { now: clock.now(), healAfterMs: settings.healAfterMs, jitter: random };
    const [record, errand] = recordStep(this.#known, event, inputs);
    this.#take(record, errand === undefined ? [] : [errand]);
  }

  async look(): Promise<QueueDepth | 'absent'> {
    const { wasInLine } = this.#known;
    const depth = await this.#parts.broker.look(this.queue);
    this.hear({ type: 'looked', depth, wasInLine });
    return depth;
  }

  async declare(): Promise<QueueDepth> {
    const { wasInLine } = this.#known;
    const depth = await this.#parts.broker.declare(this.queue, this.idleExpiryMs);
    this.hear({ type: 'declared', depth, wasInLine });
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
    publish(seedChannel, { ...this.#trace(), again: this.#known.highestSeen > 0n });
  }

  /** Publishes what does no harm: nobody is handed it while there is a token, and it expires. */
  async probe(): Promise<undefined> {
    const { broker, clock } = this.#parts;
    const probe = { id: uuid(), name: this.name, by: this.#by(), at: clock.now().wall };
    await broker.publish(this.queue, encodeProbe(probe), { expirationMs: PROBE_TTL_MS });
  }

  /** Makes sure that there is a register. Says whether it shows nothing and nobody. */
  async declareRegister(): Promise<{ empty: boolean }> {
    const { ready, consumers } = await this.#parts.broker.declare(this.register);
    this.hear({ type: 'register-known', known: true });
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
    started.then(
      () => {
        this.obstacle = undefined;
      },
      (error: unknown) => {
        this.obstacle = isBatonError(error) ? error : undefined;
      },
    );
    return started;
  }

  dispose(): void {
    this.#cancelTimer?.();
    this.#timerAt = undefined;
    this.#known = NEW_RECORD;
  }

  #take(record: NameRecord, errands: readonly Errand[]): void {
    this.#known = record;
    for (const errand of errands) this.#inBackground(errand === 'look' ? this.look() : this.#probeForToken());
    const at = watchWakeAt(record.tokenWatch);
    if (at === this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = at === undefined ? undefined : this.#parts.clock.setTimer(at, this.#wake);
  }

  #trace(): LockTrace {
    return { lock: this.name, service: this.#parts.identity.service };
  }

  #by(): string {
    return processName(this.#parts.identity);
  }

  #nextBase(wallMs: number): bigint {
    try {
      return nextBase(wallMs, this.#known.highestSeen);
    } catch (cause) {
      const message = `no fence is left for lock ${JSON.stringify(this.name)}: its token or its register (queue ${this.register}) had one at the end of int64, ${this.#known.highestSeen}; nothing was changed. Delete the queue that has it, and start this process again, or use another name`;
      throw new QueueMismatchError(message, { cause });
    }
  }

  readonly #wake = (): void => {
    this.#timerAt = undefined; // a timer may fire a little early: then it is set again
    this.hear({ type: 'wake' });
  };

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
      record.hear({ type: 'queue-known', known: false }); // so that the broker compares
    }
    record.users += 1;
    this.#records.delete(place.queue);
    this.#records.set(place.queue, record); // a Map keeps the order of insertion: the first is the longest unused
    return record;
  }

  obstacleOf(queue: string): BatonError | undefined {
    return this.#records.get(queue)?.obstacle;
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
