import type { DemoEvent } from './events.ts';
import { story } from './log.ts';
import { paint, type Span, STYLE } from './paint.ts';
import { type Stretch, viewOf, type WorkerView } from './view.ts';

export interface Scene {
  readonly workers: readonly string[];
  readonly resources: readonly string[];
  readonly jobs: number;
  readonly events: readonly DemoEvent[];
  readonly startedAt: number;
  readonly now: number;
}

export interface Canvas {
  readonly width: number;
  readonly height: number;
  readonly color: boolean;
}

/** Time that one column stands for. Holds last about half a second, so their job number fits in. */
const CELL_MS = 125;
const MARGIN = 4;
const TICK_CELLS = 16;
const HUES = ['6', '3', '5', '2', '4'];

type Cell = Span & { readonly text: string };

/** The live view, one string per line, never wider or higher than the canvas. */
export function frame(scene: Scene, canvas: Canvas): string[] {
  const { workers, resources, events, startedAt, now } = scene;
  const view = viewOf(events);
  const cells = Math.max(0, canvas.width - MARGIN - 1);
  const elapsedCells = Math.max(0, Math.ceil((now - startedAt) / CELL_MS));
  const firstCell = Math.max(0, elapsedCells - cells);
  const begin = startedAt + firstCell * CELL_MS;
  const hue = (resource: string): string => HUES[resources.indexOf(resource) % HUES.length] ?? '7';

  const chart = workers.map((worker) => {
    const history = view.workers.get(worker) ?? { stretches: [] };
    const row = drawHistory(history, { begin, cells: Math.min(cells, elapsedCells), hue, now, ...canvas });
    return [{ text: ` ${worker} `, style: STYLE.bold }, ...row];
  });
  const above = [
    drawTitle(scene, view.done, canvas.width),
    [],
    ...drawResources(scene, view, hue),
    [],
    ...chart,
    [{ text: ' '.repeat(MARGIN) + drawAxis(firstCell, cells), style: STYLE.dim }],
    drawLegend(resources, hue, canvas.color),
    [],
  ];
  const room = Math.max(0, canvas.height - above.length);
  const told = room === 0 ? [] : story(events, startedAt).slice(-room);
  return [...above, ...told].slice(0, canvas.height).map((spans) => paint(spans, canvas));
}

function drawTitle({ jobs, startedAt, now }: Scene, done: number, width: number): Span[] {
  const name = ' batonmq';
  const bar = 20;
  const filled = Math.floor((done / jobs) * bar);
  const right = `${done}/${jobs} jobs ${'━'.repeat(filled)}${'─'.repeat(bar - filled)} ${((now - startedAt) / 1_000).toFixed(1).padStart(5)} s `;
  const gap = Math.max(2, width - name.length - right.length);
  return [{ text: name, style: STYLE.bold }, { text: ' '.repeat(gap) }, { text: right }];
}

function drawResources(scene: Scene, view: ReturnType<typeof viewOf>, hue: (resource: string) => string) {
  const columns = ['file', 'held by', 'job', 'fence', 'grants', 'waiting'];
  const rows: Span[][] = [[{ text: ` ${tabulate(columns)}`, style: STYLE.dim }]];
  for (const resource of scene.resources) {
    const { holder, waiters = [], grants = 0, fence = '–' } = view.resources.get(resource) ?? {};
    const by = holder === undefined ? 'nobody' : holder.worker + (holder.frozen ? ' FROZEN' : '');
    const row = ['', by, holder?.job ?? '', fence, String(grants), waiters.join(', ')];
    const style = holder?.frozen ? STYLE.red : undefined;
    rows.push([
      { text: ` ${resource.padEnd(8).slice(0, 8)}`, style: `1;3${hue(resource)}` },
      { text: tabulate(row).slice(8), style },
    ]);
  }
  return rows;
}

function tabulate(row: readonly string[]): string {
  const widths = [8, 11, 5, 21, 8, 0];
  return row.map((text, index) => text.padEnd(widths[index] ?? 0)).join('');
}

interface Brush {
  readonly begin: number;
  readonly cells: number;
  readonly now: number;
  readonly color: boolean;
  readonly hue: (resource: string) => string;
}

function drawHistory({ stretches, killedAt }: WorkerView, brush: Brush): Span[] {
  const cells: Cell[] = Array.from({ length: brush.cells }, () => ({ text: ' ' }));
  const cellOf = (at: number): number => Math.round((at - brush.begin) / CELL_MS);
  for (const stretch of stretches) {
    const from = cellOf(stretch.from);
    // A hold is never invisible, however short.
    const to = Math.max(cellOf(stretch.to ?? brush.now), stretch.kind === 'waiting' ? from : from + 1);
    for (let cell = Math.max(0, from); cell < Math.min(to, brush.cells); cell += 1) {
      cells[cell] = drawCell(stretch, cell - from, to - from, brush);
    }
  }
  const grave = killedAt === undefined ? -1 : Math.min(cellOf(killedAt), brush.cells - 1);
  if (grave >= 0) cells[grave] = { text: brush.color ? '✗' : 'X', style: STYLE.red };
  return cells;
}

function drawCell({ kind, job, resource }: Stretch, index: number, length: number, brush: Brush): Cell {
  const { color, hue } = brush;
  if (!color)
    return { text: { waiting: '.', frozen: '#', holding: resource[0]?.toUpperCase() ?? '?' }[kind] };
  if (kind === 'waiting') return { text: '·', style: `2;3${hue(resource)}` };
  const label = kind === 'frozen' ? 'frozen' : job;
  const text = length >= label.length ? (label[index] ?? ' ') : ' ';
  return { text, style: kind === 'frozen' ? STYLE.frozen : `30;4${hue(resource)}` };
}

function drawAxis(firstCell: number, cells: number): string {
  let axis = '';
  for (let cell = 0; cell < cells; cell += 1) {
    const tick = `╵${((firstCell + cell) * CELL_MS) / 1_000}s`;
    const isTick = (firstCell + cell) % TICK_CELLS === 0;
    if (isTick && cell + tick.length <= cells) axis = axis.padEnd(cell) + tick;
  }
  return axis;
}

function drawLegend(resources: readonly string[], hue: (resource: string) => string, color: boolean): Span[] {
  const holds = resources.flatMap((resource): Span[] => [
    color ? { text: '  ', style: `4${hue(resource)}` } : { text: resource[0]?.toUpperCase() ?? '?' },
    { text: ` holds ${resource}  `, style: STYLE.dim },
  ]);
  const rest = color ? '· waits  ✗ killed' : '. waits  # frozen  X killed';
  return [{ text: ' '.repeat(MARGIN) }, ...holds, { text: rest, style: STYLE.dim }];
}
