import { UsageError } from './usage-error.ts';

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Milliseconds of `500ms`, `1.5s`, `5m`, `2h`, `1d` or `0`.
 *
 * @param what names the flag or variable in the {@link UsageError}
 */
export function parseDuration(text: string, what: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim()) ?? [];
  if (number !== undefined) return Math.round(Number(number) * UNITS[unit as keyof typeof UNITS]);
  if (text.trim() === '0') return 0;
  throw new UsageError(
    `${what} must be a duration such as 500ms, 30s, 5m, 2h or 1d, got ${JSON.stringify(text)}`,
  );
}

/** The largest unit that divides it: `15s`, `1500ms`, `2h`. */
export function formatDuration(ms: number): string {
  const unit = (['d', 'h', 'm', 's'] as const).find((it) => ms >= UNITS[it] && ms % UNITS[it] === 0) ?? 'ms';
  return `${ms / UNITS[unit]}${unit}`;
}
