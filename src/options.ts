import { z } from 'zod';
import { InvalidOptionsError } from './errors.ts';
import { type Logger, silentLogger } from './logger.ts';

/** When a grant is given to the caller: see {@link ConnectOptions.grant}. */
export type GrantMode = 'auto' | 'verified' | 'immediate';

/** One broker URL, several that are tried in turn, or a function that returns them before every connection. */
export type BrokerUrls =
  | string
  | readonly string[]
  | (() => string | readonly string[] | Promise<string | readonly string[]>);

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
  /** How often a holder asks the broker for proof, in milliseconds; at most half of `leaseMs`. Default: 5000. */
  verifyEveryMs?: number | undefined;
  /** How long a waited-for lock shows no token before it is probed and made anew, in milliseconds. Default: 30000. */
  healAfterMs?: number | undefined;
  /**
   * `verified` awaits a first proof before `acquire` resolves; `immediate` does so only after this process stood
   * still; `auto`, the default, is `verified` below RabbitMQ 4.3 and `immediate` from 4.3 on.
   */
  grant?: GrantMode | undefined;
  /** How long the first connection may take over all URLs, in milliseconds. Later ones are retried for ever. Default: 10000. */
  connectTimeoutMs?: number | undefined;
  /** Passed to `net.connect` or `tls.connect` through amqplib: `ca`, `cert`, `key`, `credentials`, … `noDelay` is always on. */
  socketOptions?: object | undefined;
  /** pino's call shape. Default: silent. */
  logger?: Logger | undefined;
}

/** Options of `baton.lock(name, options)`. */
export interface LockOptions {
  /** Overrides {@link ConnectOptions.grant} for this lock. */
  grant?: GrantMode | undefined;
}

/** Options of `acquire`, `run` and their `try` forms. */
export interface AcquireOptions {
  /** How long to wait, in milliseconds; 0 or more, `Infinity` waits for ever. Default: `Infinity`; 0 for the `try` forms. */
  timeoutMs?: number | undefined;
  /** Ends the wait (not the lease, and not the task of `run`); its reason is rethrown untouched. */
  signal?: AbortSignal | undefined;
}

/** Options of `baton.schedule(name, when, task, options)`. */
export interface ScheduleOptions {
  /** IANA name, such as `Europe/Berlin`, in which a cron expression is read. Default: that of the process. */
  timezone?: string | undefined;
  /**
   * `at-least-once` records a tick after its run: a crash means that the next worker runs it again. `at-most-once`
   * records it before: a crash means that it is not run again. Default: `at-least-once`.
   */
  semantics?: 'at-least-once' | 'at-most-once' | undefined;
  /** Which of the ticks that came while no worker was there are run: none, the last, or all in order. Default: `none`. */
  catchUp?: 'none' | 'last' | 'all' | undefined;
  /**
   * Ticks that come due during a run are dropped (`skip`) or run after it, in order (`queue`). Default: `skip`;
   * `queue` with `catchUp: 'all'`, which knows nothing else.
   */
  overrun?: 'skip' | 'queue' | undefined;
}

/** Options of `coordinator.close`. */
export interface CloseOptions {
  /** How long to wait for holders to release, in milliseconds, 0 or more; then their leases are lost. Default: 10000. */
  drainMs?: number | undefined;
}

type Defined<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> };

/** {@link ConnectOptions} after validation, every default filled in but the heartbeat, which a URL may give. */
export type Settings = Defined<Omit<ConnectOptions, 'heartbeatMs'>> & Pick<ConnectOptions, 'heartbeatMs'>;

const MAX_TIMER_MS = 2 ** 31 - 1;

const expects = (expectation: string) => ({
  error: (issue: { input?: unknown }) => `must be ${expectation}, got ${show(issue.input)}`,
});

function wholeMs(min: number, max = MAX_TIMER_MS) {
  const message = expects(`a whole number of milliseconds from ${min} to ${max}`);
  return z.number(message).int(message).min(min, message).max(max, message);
}

const grant = z.enum(['auto', 'verified', 'immediate'], expects("'auto', 'verified' or 'immediate'"));
const isObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isFunction = (value: unknown): boolean => typeof value === 'function';
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
  connectTimeoutMs: wholeMs(1).default(10_000),
  socketOptions: z.custom<object>(isObject, expects('an object')).default({}),
  logger: logger.default(silentLogger),
}) satisfies z.ZodType<Settings, ConnectOptions>;

const lockSchema = z.strictObject({ grant: grant.optional() }) satisfies z.ZodType<LockOptions, LockOptions>;

const timeoutRule = expects('0 or more milliseconds, or Infinity');
const timeout = z.custom<number>((value) => typeof value === 'number' && value >= 0, timeoutRule);
const acquireSchema = z.strictObject({
  timeoutMs: timeout.optional(),
  signal: z.instanceof(AbortSignal, expects('an AbortSignal')).optional(),
}) satisfies z.ZodType<AcquireOptions, AcquireOptions>;

const scheduleSchema = z.strictObject({
  timezone: z.string(expects("an IANA name such as 'Europe/Berlin'")).optional(),
  semantics: z
    .enum(['at-least-once', 'at-most-once'], expects("'at-least-once' or 'at-most-once'"))
    .default('at-least-once'),
  catchUp: z.enum(['none', 'last', 'all'], expects("'none', 'last' or 'all'")).default('none'),
  overrun: z.enum(['skip', 'queue'], expects("'skip' or 'queue'")).optional(),
}) satisfies z.ZodType<object, ScheduleOptions>;

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
  if (problems.length > 0) throw new InvalidOptionsError(problems);
  return settings;
}

export const parseLockOptions = (options: unknown): LockOptions => parse(lockSchema, options, 'lock');
export const parseAcquireOptions = (options: unknown): AcquireOptions =>
  parse(acquireSchema, options, 'acquire');
/** Validates the options of `schedule`. Throws {@link InvalidOptionsError}. */
export function parseScheduleOptions(
  options: unknown,
): Defined<Omit<ScheduleOptions, 'timezone'>> & Pick<ScheduleOptions, 'timezone'> {
  const { overrun, ...rest } = parse(scheduleSchema, options, 'schedule');
  if (rest.catchUp === 'all' && overrun === 'skip') {
    throw new InvalidOptionsError(["schedule: overrun must be 'queue' when catchUp is 'all', got 'skip'"]);
  }
  return { ...rest, overrun: overrun ?? (rest.catchUp === 'all' ? 'queue' : 'skip') };
}

export const parseCloseOptions = (options: unknown): { drainMs: number } =>
  parse(closeSchema, options, 'close');

/** Validates a lock name. Throws {@link InvalidOptionsError}. */
export function parseLockName(name: unknown): string {
  if (typeof name === 'string' && name.isWellFormed()) {
    const characters = [...name].length;
    if (characters >= 1 && characters <= 255) return name;
    throw new InvalidOptionsError([`lock name must be 1 to 255 characters, got ${characters}`]);
  }
  throw new InvalidOptionsError([`lock name must be a string of well-formed Unicode, got ${show(name)}`]);
}

function parse<T>(schema: z.ZodType<T>, options: unknown, call: string): T {
  const result = schema.safeParse(options ?? {}, { reportInput: true });
  if (result.success) return result.data;
  throw new InvalidOptionsError(
    result.error.issues.map((issue) => {
      if (issue.code === 'unrecognized_keys') return `${call}: unknown option ${issue.keys.join(', ')}`;
      const option = issue.path.length === 0 ? 'options' : issue.path.join('.');
      return `${call}: ${option} ${issue.path.length === 0 ? `must be an object, got ${typeof options === 'string' ? 'a string' : show(options)}` : issue.message}`;
    }),
  );
}

/** A value as an error message shows it: short, and never a secret (strings are cut, objects are named). */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  if (typeof value === 'function') return 'a function';
  return typeof value === 'bigint' ? `${value}n` : String(value);
}
