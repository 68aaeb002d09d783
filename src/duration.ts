const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** How a duration is written, for an error's sentence. */
export const DURATION = 'a duration such as 500ms, 30s, 5m, 2h, 1d or 1w';

/** Milliseconds of `500ms`, `1.5s`, `5m`, `2h`, `1d`, `1w` or `0`; undefined of anything else. */
export function durationMs(text: string): number | undefined {
  const [, number, unit] = /^(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d|w)$/.exec(text.trim()) ?? [];
  if (number !== undefined) return Math.round(Number(number) * UNITS[unit as keyof typeof UNITS]);
  return text.trim() === '0' ? 0 : undefined;
}

/** The largest unit up to days that divides it: `15s`, `1500ms`, `2h`. */
export function formatDuration(ms: number): string {
  const unit = (['d', 'h', 'm', 's'] as const).find((it) => ms >= UNITS[it] && ms % UNITS[it] === 0) ?? 'ms';
  return `${ms / UNITS[unit]}${unit}`;
}
