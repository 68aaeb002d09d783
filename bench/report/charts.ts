/** Bar and line charts as SVG, with text that is text, for light and dark pages. */

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** What is written behind the bar. */
  readonly text: string;
  /** Ours. */
  readonly own: boolean;
}

export interface Line {
  readonly label: string;
  readonly own: boolean;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

const WIDTH = 720;
const LABELS = 180;
const RIGHT = 90;
const ROW = 22;
const HEAD = 46;
const STYLE = `<style>
  text { font: 12px system-ui, sans-serif; fill: #444 }
  .title { font-size: 14px; font-weight: 600 }
  .own { fill: #d9480f } .own-line { stroke: #d9480f; stroke-width: 2.5 }
  .other { fill: #8d99ae } .other-line { stroke: #8d99ae }
  .axis { stroke: #bbb }
  @media (prefers-color-scheme: dark) { text { fill: #ccc } .axis { stroke: #555 } }
</style>`;

/** One bar for each, from the top, on a logarithmic scale where values differ by more than a hundred. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const values = bars.map(({ value }) => value).filter((value) => Number.isFinite(value) && value > 0);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const logarithmic = most / least > 100;
  const full = WIDTH - LABELS - RIGHT;
  const widthOf = (value: number): number => {
    if (!(value > 0)) return 0;
    if (value === Number.POSITIVE_INFINITY) return full;
    if (!logarithmic) return (full * value) / most;
    const floor = least / 2;
    return (full * Math.log(value / floor)) / Math.log(most / floor);
  };
  const rows = bars.map(({ label, value, text, own }, index) => {
    const y = HEAD + index * ROW;
    const width = widthOf(value).toFixed(1);
    return [
      `<text x="${LABELS - 8}" y="${y + 13}" text-anchor="end">${escaped(label)}</text>`,
      `<rect class="${own ? 'own' : 'other'}" x="${LABELS}" y="${y}" width="${width}" height="16"/>`,
      `<text x="${(LABELS + Number(width) + 6).toFixed(1)}" y="${y + 13}">${escaped(text)}</text>`,
    ].join('\n');
  });
  const note = logarithmic ? ' (logarithmic)' : '';
  return svg(title + note, HEAD + bars.length * ROW + 10, rows);
}

/** Both axes are logarithmic. Points that are no numbers are left out. */
export function lineChart(title: string, xLabel: string, lines: readonly Line[]): string {
  const height = 360;
  const [left, right, top, bottom] = [60, WIDTH - 150, HEAD, height - 40];
  const points = lines.flatMap((line) => line.points).filter(({ y }) => Number.isFinite(y) && y > 0);
  const scale = (values: readonly number[], from: number, to: number) => {
    const [low, high] = [Math.log(Math.min(...values)), Math.log(Math.max(...values))];
    return (value: number) => from + ((to - from) * (Math.log(value) - low)) / (high - low || 1);
  };
  const xs = [...new Set(points.map(({ x }) => x))].sort((one, other) => one - other);
  const toX = scale(xs, left, right);
  const bounds = decades(points.map(({ y }) => y));
  const toY = scale(bounds, bottom, top);
  const grid = [
    ...bounds.map((value) => {
      const y = toY(value).toFixed(1);
      return `<line class="axis" x1="${left}" x2="${right}" y1="${y}" y2="${y}"/><text x="${left - 6}" y="${y}" text-anchor="end">${value}</text>`;
    }),
    ...xs.map((x) => `<text x="${toX(x).toFixed(1)}" y="${bottom + 16}" text-anchor="middle">${x}</text>`),
    `<text x="${(left + right) / 2}" y="${bottom + 34}" text-anchor="middle">${escaped(xLabel)}</text>`,
  ];
  const drawn = lines.flatMap(({ label, own, points: all }) => {
    const usable = all.filter(({ y }) => Number.isFinite(y) && y > 0);
    const last = usable.at(-1);
    if (last === undefined) return [];
    const path = usable.map(({ x, y }) => `${toX(x).toFixed(1)},${toY(y).toFixed(1)}`).join(' ');
    return [{ label, own, path, x: toX(last.x) + 6, y: toY(last.y) + 4 }];
  });
  const placed = apart(drawn.toSorted((one, other) => one.y - other.y));
  const curves = placed.map(
    ({ label, own, path, x, y }) =>
      `<polyline class="${own ? 'own-line' : 'other-line'}" fill="none" points="${path}"/><text x="${x.toFixed(1)}" y="${y.toFixed(1)}">${escaped(label)}</text>`,
  );
  return svg(title, height, [...grid, ...curves]);
}

/** Labels do not lie on each other. */
function apart<T extends { readonly y: number }>(sorted: readonly T[]): T[] {
  const placed: T[] = [];
  for (const label of sorted) {
    const above = placed.at(-1);
    placed.push({ ...label, y: Math.max(label.y, (above?.y ?? Number.NEGATIVE_INFINITY) + 13) });
  }
  return placed;
}

/** Powers of ten around all values. */
function decades(values: readonly number[]): number[] {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return Array.from({ length: high - low + 1 }, (_, index) => Number(`1e${low + index}`));
}

function svg(title: string, height: number, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">`,
    STYLE,
    `<text class="title" x="10" y="24">${escaped(title)}</text>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
