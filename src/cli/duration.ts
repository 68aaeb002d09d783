import { DURATION, durationMs } from '../duration.ts';
import { UsageError } from './usage-error.ts';

export { formatDuration } from '../duration.ts';

/**
 * Milliseconds of a duration.
 *
 * @param what names the flag or variable in the {@link UsageError}
 */
export function parseDuration(text: string, what: string): number {
  const ms = durationMs(text);
  if (ms !== undefined) return ms;
  throw new UsageError(`${what} must be ${DURATION}, got ${JSON.stringify(text)}`);
}
