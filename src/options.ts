import { z } from 'zod';
import { isAbortSignal } from './abort.ts';
import { guarded } from './callbacks.ts';
import { MAX_TIMER_MS } from './clock.ts';
import { InvalidOptionsError } from './errors.ts';
import { type Logger, silentLogger } from './logger.ts';
import type { GrantMode } from './protocol/grant-mode.ts';
import { isStandardSchema, type StateSchema } from './state.ts';
import { expects, isFunction, isObject, parse, show, wholeMs } from './validation.ts';

/** Options of {@link connect}. Leaving one out and passing `undefined` are the same. */
export interface ConnectOptions {
  /** Name of this program, shown to operators in consumer tags and connection names. 1 to 64 characters. Default: `batonmq`. */
  service?: string | undefined;
  /** Locks of different namespaces never meet. 1 to 32 of `A-Z a-z 0-9 _ -`. Default: `default`. */
  namespace?: string | undefined;
  /**
   * AMQP heartbeat in milliseconds, whole seconds, at least 1000. What counts is the value negotiated with the
   * broker, which can only be lower. Default: the URL's `heartbeat` parameter (seconds), else 10000.
   */
  heartbeatMs?: number | undefined;
  /**
   * How long a hold can be vouched for after its last proof, in milliseconds. Must be under twice the
   * negotiated heartbeat, so that a holder gives up before the broker does. Default: 15000.
   */
  leaseMs?: number | undefined;
  /** The longest time between two questions of a holder for proof, in milliseconds; at most half of `leaseMs`. Default: 5000. */
  verifyEveryMs?: number | undefined;
  /** How long waiters see no token before they probe for it, and replace it, in milliseconds. Default: 30000. */
  healAfterMs?: number | undefined;
  /**
   * `verified` awaits a first proof before `acquire` resolves; `immediate` does so only after this process stood
   * still; `auto`, the default, is `verified` below RabbitMQ 4.3 and `immediate` from 4.3 on. From 4.3 on `verified` also
   * waits, after a holder that did not release, until that one's lease is over: for `leaseMs`, which all must give alike.
   */
  grant?: GrantMode | undefined;
  /**
   * The broker deletes the queue of a lock that nobody has held or waited for during this time, in milliseconds;
   * the next acquire recreates it, with higher fences. At least 10000 and twice `leaseMs`. Everybody who uses the
   * lock must give the same value. Default: `Infinity`, never.
   */
  idleExpiryMs?: number | undefined;
  /**
   * Spreads all names of the namespace over this many queues, 1 to 10000: two names in one slot exclude each other.
   * Everybody in the namespace must give the same value. Default: a queue for every name.
   */
  slots?: number | undefined;
  /**
   * How many calls of this process may have a lock one after the other before it goes back to the broker's queue,
   * 1 to 1000. More are many times faster, and let this process's callers pass those of others who came earlier.
   * Not for locks with state. Default: 1, strictly first in, first out.
   */
  localBatch?: number | undefined;
  /**
   * How long the first connection may take over all URLs, in milliseconds: a broker that is not up yet is tried again
   * until then, a refused login is not. Later connections are retried without end. Default: 10000.
   */
  connectTimeoutMs?: number | undefined;
  /**
   * Passed to `net.connect` or `tls.connect` through amqplib: `ca`, `cert`, `key`, `credentials`, … `noDelay` is always on.
   * A function that returns them is called before every connection: for certificates that are rotated.
   */
  socketOptions?: object | (() => object | Promise<object>) | undefined;
  /** pino's call shape. What it throws is ignored. Default: silent. */
  logger?: Logger | undefined;
}

/** Options of `baton.lock(name, options)`. */
export interface LockOptions {
  /** Overrides {@link ConnectOptions.grant} for this lock. */
  grant?: GrantMode | undefined;
  /** Overrides {@link ConnectOptions.idleExpiryMs} for this lock. Not with `slots`. */
  idleExpiryMs?: number | undefined;
  /** Overrides {@link ConnectOptions.localBatch} for this lock. */
  localBatch?: number | undefined;
}

/** Options of `baton.lock(name, options)` for a lock that carries state. */
export interface StatefulLockOptions<T> extends LockOptions {
  /**
   * What the state must be: a zod schema, or any other Standard Schema. The state is JSON, at most 4 KiB. Not with
   * `slots`, and not with an `idleExpiryMs` other than `Infinity`.
   */
  state: StateSchema<T>;
}

/** Options of `lease.save`. */
export interface SaveOptions {
  /** How long to wait for the broker, in milliseconds; 0 or more, or `Infinity`. Default: 5000. */
  timeoutMs?: number | undefined;
}

/** Options of `lease.release`. */
export interface ReleaseOptions<T> extends SaveOptions {
  /** Saved before the release. */
  state?: T | undefined;
}

/** Options of `acquire`, `run` and their `try` forms. */
export interface AcquireOptions {
  /** How long to wait, in milliseconds; 0 or more. Default: `Infinity`, without end; 0 for the `try` forms. */
  timeoutMs?: number | undefined;
  /** Ends the wait (not the lease, and not the task of `run`); its reason is rethrown untouched. */
  signal?: AbortSignal | undefined;
}

/** Options of `coordinator.close`. */
export interface CloseOptions {
  /** How long to wait for holders to release, in milliseconds, 0 or more; then their leases are lost. Default: 10000. */
  drainMs?: number | undefined;
}

type Defined<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> };

/** {@link ConnectOptions} after validation, every default filled in but the heartbeat, which a URL may give, and the slots. */
export type Settings = Defined<Omit<ConnectOptions, 'heartbeatMs' | 'slots'>> &
  Pick<ConnectOptions, 'heartbeatMs' | 'slots'>;

const grant = z.enum(['auto', 'verified', 'immediate'], expects("'auto', 'verified' or 'immediate'"));
const logger = z.custom<Logger>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    ['debug', 'info', 'warn', 'error'].every((level) =>
      isFunction((value as Record<string, unknown>)[level]),
    ),
  expects('a logger with debug, info, warn and error'),
);
const service = z
  .string(expects('a string of 1 to 64 characters'))
  .refine(
    (value) => value.isWellFormed() && value.length >= 1 && value.length <= 64,
    expects('a string of 1 to 64 characters'),
  );
const namespaceRule = expects('1 to 32 of A-Z a-z 0-9 _ -');
const heartbeatRule = expects(
  'whole seconds in milliseconds from 1000 to 65535000 (heartbeats cannot be turned off)',
);

/** RabbitMQ looks every 5 s for queues to expire, and clocks of clients may differ by as much as this. */
const IDLE_EXPIRY_MIN_MS = 10_000;
const idleExpiryRule = expects(
  `a whole number of milliseconds from ${IDLE_EXPIRY_MIN_MS} to ${MAX_TIMER_MS}, or Infinity`,
);
const idleExpiryMs = z.custom<number>(
  (value) =>
    value === Number.POSITIVE_INFINITY ||
    (Number.isInteger(value) && (value as number) >= IDLE_EXPIRY_MIN_MS && (value as number) <= MAX_TIMER_MS),
  idleExpiryRule,
);
const slotsRule = expects('a whole number from 1 to 10000');

const batchRule = expects('a whole number from 1 to 1000');
const localBatch = z.number(batchRule).int(batchRule).min(1, batchRule).max(1_000, batchRule);

const connectSchema = z.strictObject({
  service: service.default('batonmq'),
  namespace: z
    .string(namespaceRule)
    .regex(/^[A-Za-z0-9_-]{1,32}$/, namespaceRule)
    .default('default'),
  heartbeatMs: z
    .number(heartbeatRule)
    .min(1_000, heartbeatRule)
    .max(65_535_000, heartbeatRule)
    .multipleOf(1_000, heartbeatRule)
    .optional(),
  leaseMs: wholeMs(300).default(15_000),
  verifyEveryMs: wholeMs(100).default(5_000),
  healAfterMs: wholeMs(100).default(30_000),
  grant: grant.default('auto'),
  idleExpiryMs: idleExpiryMs.default(Number.POSITIVE_INFINITY),
  slots: z.number(slotsRule).int(slotsRule).min(1, slotsRule).max(10_000, slotsRule).optional(),
  localBatch: localBatch.default(1),
  connectTimeoutMs: wholeMs(1).default(10_000),
  socketOptions: z
    .custom<Settings['socketOptions']>(
      (value) => isObject(value) || isFunction(value),
      expects('an object, or a function that returns one'),
    )
    .default({}),
  logger: logger.transform(guarded).default(silentLogger),
}) satisfies z.ZodType<Settings, ConnectOptions>;

const stateSchema = z.custom<StateSchema<unknown>>(
  isStandardSchema,
  expects('a schema that implements Standard Schema 1, such as one of zod'),
);
type AnyLockOptions = LockOptions & Partial<StatefulLockOptions<unknown>>;
const lockSchema = z.strictObject({
  grant: grant.optional(),
  idleExpiryMs: idleExpiryMs.optional(),
  localBatch: localBatch.optional(),
  state: stateSchema.optional(),
}) satisfies z.ZodType<AnyLockOptions, AnyLockOptions>;

const timeoutRule = expects('0 or more milliseconds, or Infinity');
const timeout = z.custom<number>((value) => typeof value === 'number' && value >= 0, timeoutRule);
const acquireSchema = z.strictObject({
  timeoutMs: timeout.optional(),
  signal: z.custom<AbortSignal>(isAbortSignal, expects('an AbortSignal')).optional(),
}) satisfies z.ZodType<AcquireOptions, AcquireOptions>;

const SAVE_MS = 5_000;
const saveTimeout = timeout.default(SAVE_MS);
const saveSchema = z.strictObject({ timeoutMs: saveTimeout }) satisfies z.ZodType<object, SaveOptions>;
const releaseSchema = z.strictObject({ timeoutMs: saveTimeout, state: z.unknown() }) satisfies z.ZodType<
  object,
  ReleaseOptions<unknown>
>;

const closeSchema = z.strictObject({ drainMs: wholeMs(0).default(10_000) }) satisfies z.ZodType<
  object,
  CloseOptions
>;

/** Validates the options of `connect`. Throws {@link InvalidOptionsError} with one sentence for each problem. */
export function parseConnectOptions(options: unknown): Settings {
  const settings = parse(connectSchema, options, 'connect');
  const { leaseMs, verifyEveryMs, heartbeatMs } = settings;
  const problems: string[] = [];
  if (verifyEveryMs * 2 > leaseMs) {
    problems.push(
      `connect: verifyEveryMs must be at most half of leaseMs (${leaseMs}), got ${verifyEveryMs}`,
    );
  }
  if (heartbeatMs !== undefined && leaseMs >= heartbeatMs * 2) {
    problems.push(`connect: leaseMs must be under twice heartbeatMs (${heartbeatMs}), got ${leaseMs}`);
  }
  problems.push(...idleExpiryProblems('connect', settings.idleExpiryMs, leaseMs));
  if (problems.length > 0) throw new InvalidOptionsError(problems);
  return settings;
}

/** Validates the options of `lock`, also against those of `connect`. Throws {@link InvalidOptionsError}. */
export function parseLockOptions(options: unknown, settings: Settings): AnyLockOptions {
  const parsed = parse(lockSchema, options, 'lock');
  const problems: string[] = [];
  if (parsed.idleExpiryMs !== undefined) {
    problems.push(...idleExpiryProblems('lock', parsed.idleExpiryMs, settings.leaseMs));
    if (settings.slots !== undefined) {
      problems.push('lock: idleExpiryMs must be given to connect, because of slots');
    }
  }
  if (parsed.state !== undefined)
    problems.push(...memoryProblems(settings.slots, parsed.idleExpiryMs ?? settings.idleExpiryMs));
  if (problems.length > 0) throw new InvalidOptionsError(problems);
  return parsed;
}

/** A holder whose connection the broker does not count any more has given up long before its queue expires. */
function idleExpiryProblems(call: string, idleExpiryMs: number, leaseMs: number): string[] {
  if (idleExpiryMs >= leaseMs * 2) return [];
  return [`${call}: idleExpiryMs must be at least twice leaseMs (${leaseMs}), got ${idleExpiryMs}`];
}

/** State is kept for one name, and for as long as nobody deletes it. */
function memoryProblems(slots: number | undefined, idleExpiryMs: number): string[] {
  const problems: string[] = [];
  if (slots !== undefined) {
    problems.push(
      `lock: slots must be left out of connect for locks with state and for schedules, got ${slots}`,
    );
  }
  if (Number.isFinite(idleExpiryMs)) {
    problems.push(
      `lock: idleExpiryMs must be Infinity for locks with state and for schedules, got ${idleExpiryMs}`,
    );
  }
  return problems;
}

export const parseAcquireOptions = (options: unknown): AcquireOptions =>
  parse(acquireSchema, options, 'acquire');
export const parseSaveOptions = (options: unknown): { timeoutMs: number } =>
  parse(saveSchema, options, 'save');
export const parseReleaseOptions = (options: unknown): { timeoutMs: number; state?: unknown } =>
  parse(releaseSchema, options, 'release');
export const parseCloseOptions = (options: unknown): { drainMs: number } =>
  parse(closeSchema, options, 'close');

/** Throws {@link InvalidOptionsError} for a task that cannot be called. */
export function checkTask(call: string, task: unknown): void {
  if (!isFunction(task))
    throw new InvalidOptionsError([`${call}: task must be a function, got ${show(task)}`]);
}

/** Validates a lock name. Throws {@link InvalidOptionsError}. */
export function parseLockName(name: unknown): string {
  if (typeof name === 'string' && name.isWellFormed()) {
    const characters = [...name].length;
    if (characters >= 1 && characters <= 255) return name;
    throw new InvalidOptionsError([`lock name must be 1 to 255 characters, got ${characters}`]);
  }
  throw new InvalidOptionsError([`lock name must be a string of well-formed Unicode, got ${show(name)}`]);
}
