import { type BatonErrorCode, isBatonError } from '../errors.ts';
import { UsageError } from './usage-error.ts';

/** The exit codes of `baton` itself. A command under `baton run` adds its own, and 128 + n for a death by signal n. */
export const EXIT = {
  ok: 0,
  no: 1,
  usage: 64,
  unreachable: 69,
  internal: 70,
  output: 74,
  notAcquired: 75,
  protocol: 76,
  accessRefused: 77,
  lost: 79,
  notExecutable: 126,
  notFound: 127,
  brokenPipe: 141,
} as const;

const BY_CODE: Record<BatonErrorCode, number> = {
  'acquire-timeout': EXIT.notAcquired,
  'lease-lost': EXIT.lost,
  'broker-unreachable': EXIT.unreachable,
  'unsupported-broker': EXIT.protocol,
  'access-refused': EXIT.accessRefused,
  'queue-mismatch': EXIT.protocol,
  'resource-limit': EXIT.unreachable,
  'token-version': EXIT.protocol,
  state: EXIT.protocol,
  'invalid-options': EXIT.usage,
  closed: EXIT.internal,
};

/** What `baton` exits with when this error ends it. */
export function exitCodeOf(error: unknown): number {
  if (isBatonError(error)) return BY_CODE[error.code] ?? EXIT.internal;
  return error instanceof UsageError ? EXIT.usage : EXIT.internal;
}
