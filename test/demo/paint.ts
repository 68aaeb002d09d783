/** A piece of a line. `style` is a list of SGR codes, such as `1;31`. Every character must be one column wide. */
export interface Span {
  readonly text: string;
  readonly style?: string;
}

export const STYLE = {
  bold: '1',
  dim: '2',
  red: '1;31',
  green: '1;32',
  yellow: '33',
  frozen: '30;47',
} as const;

/** Joins the pieces and cuts what does not fit: a line that wraps would shift everything below it. */
export function paint(spans: readonly Span[], { width, color }: { width: number; color: boolean }): string {
  let room = width;
  let line = '';
  for (const { text, style } of spans) {
    const shown = [...text].slice(0, room).join('');
    room -= [...shown].length;
    line += color && style !== undefined && shown !== '' ? `\x1b[${style}m${shown}\x1b[0m` : shown;
  }
  return color ? line : line.trimEnd();
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2).padStart(6)} s`;
}

/** Two digits that mean something: 0.84 ms, 2.3 ms, 41 ms, 2412 ms. */
export function milliseconds(ms: number): string {
  if (ms >= 10) return `${ms.toFixed(0)} ms`;
  return `${ms.toFixed(ms >= 1 ? 1 : 2)} ms`;
}

/** Fences have 19 digits, and only the last ones change while one looks. */
export function shortFence(fence: string): string {
  return fence.length > 8 ? `…${fence.slice(-7)}` : fence;
}
