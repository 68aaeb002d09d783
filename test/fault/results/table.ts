import { PHASES } from '../history.ts';
import { type FaultFigures, merge, type RunSummary } from './summary.ts';

/** The tables of all runs. */
export function render(runs: readonly RunSummary[]): string {
  const ours = runs.filter(({ build }) => build === 'baton');
  const naive = runs.filter(({ build }) => build === 'naive');
  return [
    faultTable(ours),
    'Strikes that caught somebody in the act, per phase of the protocol:',
    phaseTable(ours),
    'The runs:',
    runTable(ours),
    ...(naive.length === 0
      ? []
      : [
          'The same seeds against a token lock without verification that publishes and acks to release. Each must fail:',
          runTable(naive),
        ]),
  ].join('\n\n');
}

interface Row {
  readonly fault: string;
  readonly version: string;
  readonly site: string;
  readonly grant: string;
  readonly figures: FaultFigures;
}

function rowsOf(runs: readonly RunSummary[]): Row[] {
  const groups = new Map<string, { row: Omit<Row, 'figures'>; all: FaultFigures[] }>();
  for (const run of runs) {
    for (const [fault, figures] of Object.entries(run.faults)) {
      const row = { fault, version: run.version, site: run.site, grant: grantOf(run) };
      const key = Object.values(row).join(' ');
      const group = groups.get(key) ?? { row, all: [] };
      groups.set(key, group);
      group.all.push(figures);
    }
  }
  return [...groups]
    .sort(([one], [other]) => one.localeCompare(other, 'en'))
    .map(([, { row, all }]) => ({ ...row, figures: merge(all) }));
}

function faultTable(runs: readonly RunSummary[]): string {
  const head = [
    'fault',
    'RabbitMQ',
    'site',
    'grants',
    'strikes',
    'overlaps (longest)',
    'fences out of order',
    'tokens lost / doubled',
    'next grant: median, worst',
    'leases lost',
    'longest from last proof to signal',
  ];
  const rows = rowsOf(runs).map(({ fault, version, site, grant, figures }) => [
    fault,
    version,
    site,
    grant,
    String(figures.strikes),
    figures.overlaps === 0 ? '0' : `${figures.overlaps} (${time(figures.longestOverlapMs)})`,
    String(figures.fencesOutOfOrder),
    `${figures.tokensLost} / ${figures.tokensDoubled}`,
    grantTimes(figures.nextGrantMs),
    String(figures.leasesLost),
    figures.leasesLost === 0 ? '–' : time(figures.longestToSignalMs),
  ]);
  return table(head, rows);
}

function phaseTable(runs: readonly RunSummary[]): string {
  const faults = new Map<string, FaultFigures[]>();
  for (const run of runs) {
    for (const [fault, figures] of Object.entries(run.faults)) {
      faults.set(fault, [...(faults.get(fault) ?? []), figures]);
    }
  }
  const rows = [...faults].sort().map(([fault, all]) => {
    const { phases } = merge(all);
    return [fault, ...PHASES.map((phase) => String(phases[phase] ?? 0))];
  });
  return table(['fault', ...PHASES], rows);
}

function runTable(runs: readonly RunSummary[]): string {
  const head = [
    'RabbitMQ',
    'site',
    'grants',
    'seed',
    'minutes',
    'strikes',
    'leases',
    'accepted / refused by the store',
    'queues lost with a node',
    'queues mended after a deletion',
  ];
  const rows = [...runs]
    .sort(byName)
    .map((run) => [
      run.version,
      run.site,
      grantOf(run),
      String(run.seed),
      String(run.minutes),
      String(Object.values(run.faults).reduce((sum, { strikes }) => sum + strikes, 0)),
      String(run.grants),
      `${run.accepted} / ${run.refused}`,
      String(run.repaired),
      String(run.mended ?? '–'),
      violationsOf(run),
    ]);
  return table([...head, 'violations'], rows);
}

export const nameOf = ({ build, version, site, grant, seed, minutes }: RunSummary): string =>
  `${build}-${version}-${site}-${grant}-seed${seed}-${minutes}min`;

const byName = (one: RunSummary, other: RunSummary): number => nameOf(one).localeCompare(nameOf(other), 'en');

/** What `auto` means for this version. */
function grantOf({ grant, version, build }: RunSummary): string {
  if (build === 'naive') return '–';
  if (grant !== 'auto') return grant;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 4 || (major === 4 && minor >= 3) ? 'immediate' : 'verified';
}

function violationsOf({ violations }: RunSummary): string {
  const found = Object.entries(violations).sort();
  return found.length === 0 ? 'none' : found.map(([rule, times]) => `${rule} ${times}`).join(', ');
}

function grantTimes(sorted: readonly number[]): string {
  const [median, worst] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
  return median === undefined || worst === undefined ? '–' : `${time(median)}, ${time(worst)}`;
}

const time = (ms: number): string => (ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`);

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join(
    '\n',
  );
}
