import { PEERS } from '../peers/index.ts';
import { hopOfRun, type Results, summarise, type Wanted } from '../sample.ts';
import { SCENARIOS } from '../scenarios/index.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { median } from '../stats.ts';
import { COLUMNS } from './columns.ts';

export interface Table {
  readonly title: string;
  readonly rows: readonly (readonly string[])[];
}

/** The hop that a peer is compared with: that of its own RabbitMQ, else that of the machine's. */
export function hopServerOf(peerId: string, results: Results): string {
  const own = PEERS.find(({ id }) => id === peerId)?.server ?? '';
  if (own.startsWith('rabbitmq')) return own;
  return Object.keys(results.servers).find((id) => id.startsWith('rabbitmq')) ?? '';
}

export function hopTable({ servers, samples, runs }: Results): Table {
  const rows = Object.keys(servers)
    .filter((id) => id.startsWith('rabbitmq'))
    .map((id) => {
      const each = Array.from({ length: runs }, (_, index) => hopOfRun(samples, id, index + 1));
      return [servers[id] ?? id, show(median(each), 3), each.map((value) => show(value, 3)).join(', ')];
    });
  return { title: 'One raw hop, milliseconds', rows: [['', 'median', 'of each run'], ...rows] };
}

/** One for each scenario and case that was measured. */
export function scenarioTables(results: Results): Table[] {
  return SCENARIOS.flatMap((scenario) => {
    const steps = stepTables(results, scenario);
    if (steps.length > 0) return steps;
    return scenario.cases.flatMap((it) => {
      const rows = PEERS.flatMap((peer) => {
        const wanted = { scenario: scenario.id, case: it.id, peer: peer.id };
        const measured = results.samples.some(
          (sample) => sample.scenario === wanted.scenario && sample.case === it.id && sample.peer === peer.id,
        );
        return measured ? [[peer.id, ...cells(results, wanted)]] : [];
      });
      if (rows.length === 0) return [];
      const columns = COLUMNS[scenario.id] ?? [];
      const headings = columns.flatMap(({ heading, hops }) => (hops ? [heading, 'in hops'] : [heading]));
      const title = scenario.cases.length > 1 ? `${scenario.title}: ${it.title}` : scenario.title;
      return [{ title: `${scenario.letter}. ${title}`, rows: withoutEmpty([['', ...headings], ...rows]) }];
    });
  });
}

/** One for each peer, of a scenario that measures parts: those that were found in most of the runs. */
function stepTables(results: Results, { id: scenario, letter, title }: Scenario): Table[] {
  const headings = (COLUMNS[scenario] ?? []).map(({ heading }) => heading);
  return PEERS.flatMap(({ id: peer }) => {
    const own = results.samples.filter((sample) => sample.scenario === scenario && sample.peer === peer);
    const parts = [...new Set(own.flatMap(({ part }) => part ?? []))].filter(
      (part) => own.filter((sample) => sample.part === part).length > results.runs / 2,
    );
    if (parts.length === 0) return [];
    const rows = parts.map((part) => [
      part,
      ...cells(results, { scenario, case: own[0]?.case ?? '', peer, part }),
    ]);
    return [{ title: `${letter}. ${title}: ${peer}`, rows: [['', ...headings], ...rows] }];
  });
}

function cells(results: Results, wanted: Wanted): string[] {
  const hopServer = hopServerOf(wanted.peer, results);
  return (COLUMNS[wanted.scenario] ?? []).flatMap(({ figure, digits, hops }) => {
    const { value, hops: ratio } = summarise(results.samples, wanted, figure, hopServer);
    return hops ? [show(value, digits), show(ratio, 1)] : [show(value, digits)];
  });
}

const NONE = '–';

const show = (value: number, digits: number): string =>
  Number.isNaN(value) ? NONE : Number.isFinite(value) ? value.toFixed(digits) : 'never';

/** A column in which nobody has a figure says nothing. */
function withoutEmpty(rows: readonly string[][]): string[][] {
  const kept = (rows[0] ?? []).map(
    (_, column) => column === 0 || rows.slice(1).some((row) => row[column] !== NONE),
  );
  return rows.map((row) => row.filter((_, column) => kept[column]));
}

export function markdown({ title, rows: [head = [], ...rows] }: Table, level = '###'): string {
  const line = (row: readonly string[]) => `| ${row.join(' | ')} |`;
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  return [`${level} ${title}`, '', line(head), line(rule), ...rows.map(line), ''].join('\n');
}

/** For the terminal. */
export function terminalTables(results: Results): string {
  const text = [hopTable(results), ...scenarioTables(results)].map(terminalTable).join('\n');
  const failures = results.failures.map((failure) => `failed: ${failure}`).join('\n');
  return failures === '' ? text : `${text}\n${failures}`;
}

export function terminalTable({ title, rows }: Table): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ');
  return `\n${title}\n${rows.map(line).join('\n')}`;
}
