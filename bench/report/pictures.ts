import { PEERS } from '../peers/index.ts';
import type { Peer } from '../peers/peer.ts';
import { type Results, summarise } from '../sample.ts';
import { barChart, type Line, lineChart } from './charts.ts';
import { hopServerOf } from './tables.ts';

interface Picture {
  readonly file: string;
  readonly title: string;
  readonly scenario: string;
  readonly case: string;
  readonly figure: string;
  readonly digits: number;
}

const MAIN = { scenario: 'handoff', case: '8-waiters-0-ms' };

const BARS: readonly Picture[] = [
  { ...MAIN, file: 'grants', title: 'Grants per second, 8 waiters', figure: 'grantsPerS', digits: 0 },
  { ...MAIN, file: 'handoff', title: 'Hand-off, median ms, 8 waiters', figure: 'latencyP50Ms', digits: 2 },
  { ...MAIN, file: 'wait', title: 'Longest waits (p99), ms, 8 waiters', figure: 'waitP99Ms', digits: 1 },
  {
    ...{ file: 'fresh', title: 'Acquire and release on a fresh name, median ms', scenario: 'fresh' },
    ...{ case: 'fresh', figure: 'cycleP50Ms', digits: 2 },
  },
  {
    ...{ file: 'sigkill', title: 'Next grant after SIGKILL of the holder, ms', scenario: 'death' },
    ...{ case: 'sigkill', figure: 'nextGrantMs', digits: 0 },
  },
  {
    ...{ file: 'sigstop', title: 'Next grant after SIGSTOP of the holder, ms', scenario: 'death' },
    ...{ case: 'sigstop', figure: 'nextGrantMs', digits: 0 },
  },
];

const isOwn = ({ family }: Peer) => family === 'batonmq';

/** File name to SVG, of what was measured. */
export function pictures(results: Results): Map<string, string> {
  const drawn = new Map<string, string>();
  for (const { file, title, figure, digits, ...wanted } of BARS) {
    const bars = PEERS.flatMap((peer) => {
      const value = figureOf(results, { ...wanted, peer: peer.id }, figure);
      if (Number.isNaN(value)) return [];
      const text = Number.isFinite(value) ? value.toFixed(digits) : 'never';
      return [{ label: peer.id, value, text, own: isOwn(peer) }];
    });
    if (bars.length > 0) drawn.set(`${file}.svg`, barChart(title, bars));
  }
  const lines = growthLines(results);
  if (lines.length > 0) {
    drawn.set('growth.svg', lineChart('Hand-off, median ms, by the number of waiters', 'waiters', lines));
  }
  return drawn;
}

function growthLines(results: Results): Line[] {
  const cases = new Set(
    results.samples.filter(({ scenario }) => scenario === 'growth').map((sample) => sample.case),
  );
  const counts = [...cases].flatMap((id) => {
    const count = /^(\d+)-waiters/.exec(id)?.[1];
    return count === undefined ? [] : [{ id, x: Number(count) }];
  });
  return PEERS.flatMap((peer) => {
    const points = counts
      .map(({ id, x }) => ({
        x,
        y: figureOf(results, { scenario: 'growth', case: id, peer: peer.id }, 'latencyP50Ms'),
      }))
      .filter(({ y }) => !Number.isNaN(y))
      .sort((one, other) => one.x - other.x);
    return points.length === 0 ? [] : [{ label: peer.id, own: isOwn(peer), points }];
  });
}

const figureOf = (
  results: Results,
  wanted: { scenario: string; case: string; peer: string },
  figure: string,
): number => summarise(results.samples, wanted, figure, hopServerOf(wanted.peer, results)).value;
