/** Why a hold ended before its holder released it. */
export type LostReason =
  | 'verification-timeout'
  | 'superseded'
  | 'connection-closed'
  | 'channel-closed'
  | 'queue-deleted'
  | 'consumer-cancelled'
  | 'coordinator-closed'
  | 'clock-jump';

/** Every code a {@link BatonError} can carry. */
export type BatonErrorCode =
  | 'acquire-timeout'
  | 'lease-lost'
  | 'broker-unreachable'
  | 'unsupported-broker'
  | 'access-refused'
  | 'queue-mismatch'
  | 'resource-limit'
  | 'token-version'
  | 'state'
  | 'invalid-options'
  | 'closed';

const BRAND: unique symbol = Symbol.for('batonmq.error') as never;

/** Base of every error that batonmq raises. `code` is stable; messages are for people. */
export abstract class BatonError extends Error {
  abstract readonly code: BatonErrorCode;
  /** Whether the same call can succeed later without anybody changing anything. */
  abstract readonly retryable: boolean;
  readonly [BRAND] = true;

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    // The stack's first line is rendered lazily from `name`, so the prototype must already carry it.
    Object.defineProperty(this, 'name', { value: new.target.name, configurable: true, writable: true });
    Error.captureStackTrace?.(this, new.target);
  }
}

/** True for batonmq's own errors, also across duplicate copies of the package. */
export function isBatonError(error: unknown): error is BatonError {
  return typeof error === 'object' && error !== null && (error as { [BRAND]?: unknown })[BRAND] === true;
}

/** The lock was not granted within `timeoutMs`. Somebody else holds it, or the broker did not answer. */
export class AcquireTimeoutError extends BatonError {
  readonly code = 'acquire-timeout';
  readonly retryable = true;
}

/** The hold can no longer be vouched for; `reason` says how that was noticed. Stop touching the resource. */
export class LeaseLostError extends BatonError {
  readonly code = 'lease-lost';
  readonly retryable = true;
  readonly reason: LostReason;

  constructor(message: string, options: { reason: LostReason; cause?: unknown }) {
    super(message, options);
    this.reason = options.reason;
  }
}

/** No broker answered: wrong address, broker down, or a line that went silent. */
export class BrokerUnreachableError extends BatonError {
  readonly code = 'broker-unreachable';
  readonly retryable = true;
}

/** The broker is not RabbitMQ 3.10 or newer, has no quorum queues, or does not count returned messages. */
export class UnsupportedBrokerError extends BatonError {
  readonly code = 'unsupported-broker';
  readonly retryable = false;
}

/** Credentials, virtual host or permissions were refused; the message names what is missing. */
export class AccessRefusedError extends BatonError {
  readonly code = 'access-refused';
  readonly retryable = false;
}

/** A queue of that name exists with other arguments, so it is not a lock of this version of batonmq. */
export class QueueMismatchError extends BatonError {
  readonly code = 'queue-mismatch';
  readonly retryable = false;
}

/** A limit that an operator set is reached: of queues, channels or connections. The message names it. Free some, or raise it. */
export class ResourceLimitError extends BatonError {
  readonly code = 'resource-limit';
  readonly retryable = true;
}

/** The lock's token or state was written by a newer batonmq; it was given back untouched. Upgrade this client. */
export class TokenVersionError extends BatonError {
  readonly code = 'token-version';
  readonly retryable = false;
}

/**
 * The state of a lock cannot be read or saved: it does not fit the schema, is no JSON or too large, or the lock carries
 * none. `problems` has one sentence for each.
 */
export class StateError extends BatonError {
  readonly code = 'state';
  readonly retryable = false;
  readonly problems: readonly string[];

  constructor(message: string, options: { problems: readonly string[]; cause?: unknown }) {
    super(message, options);
    this.problems = options.problems;
  }
}

/** One or more options are wrong. `problems` has one sentence for each: option, expectation, what was got. */
export class InvalidOptionsError extends BatonError {
  readonly code = 'invalid-options';
  readonly retryable = false;
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options?: { cause?: unknown }) {
    super(problems.join('; '), options);
    this.problems = problems;
  }
}

/** The coordinator was closed, or the lease was already released. */
export class ClosedError extends BatonError {
  readonly code = 'closed';
  readonly retryable = false;
}
