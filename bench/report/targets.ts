import { type Results, summarise } from '../sample.ts';
import { median } from '../stats.ts';
import { hopServerOf, type Table } from './tables.ts';

/** What is aimed at, as ratios of one run wherever that is possible. */
interface Target {
  readonly what: string;
  readonly limit: number;
  readonly side: 'at most' | 'at least';
  readonly of: (get: Get) => number;
}

type Where = readonly [scenario: string, it: string];

interface Get {
  /** Of ours. */
  (where: Where, figure: string): number;
  inHops(where: Where, figure: string): number;
  /** Of another peer, and of our own version of a sibling such as `naive`. */
  peer(id: string, where: Where, figure: string): number;
  sibling(family: string, where: Where, figure: string): number;
}

const MAIN: Where = ['handoff', '8-waiters-0-ms'];
const CROWD: Where = ['handoff', '32-waiters-0-ms'];
const FRESH: Where = ['fresh', 'fresh'];
const WARM: Where = ['cycle', 'warm'];

const target = (what: string, side: Target['side'], limit: number, of: Target['of']): Target => ({
  what,
  side,
  limit,
  of,
});
const grantsTo = (peer: string) => (get: Get) => get(MAIN, 'grantsPerS') / get.peer(peer, MAIN, 'grantsPerS');

const TARGETS: readonly Target[] = [
  target('hand-off, in hops', 'at most', 2.2, (get) => get.inHops(MAIN, 'latencyP50Ms')),
  target('grants/s to those of ZooKeeper', 'at least', 0.8, grantsTo('zookeeper')),
  target('grants/s to those of NATS', 'at least', 1.7, grantsTo('nats')),
  target('grants/s to those of etcd', 'at least', 5, grantsTo('etcd-v3lock')),
  target(
    'grants/s with localBatch 16, 8 contenders in each of 4 processes, to those of ZooKeeper',
    'at least',
    3,
    (get) => get.sibling('batonmq-local', CROWD, 'grantsPerS') / get.peer('zookeeper', CROWD, 'grantsPerS'),
  ),
  target('inversions', 'at most', 0, (get) => get(MAIN, 'inversions')),
  target('fairness', 'at least', 0.999, (get) => get(MAIN, 'fairness')),
  target('re-grants to the releaser, %', 'at most', 0, (get) => get(MAIN, 'regrantsPercent')),
  target('next grant after SIGKILL, ms', 'at most', 50, (get) => get(['death', 'sigkill'], 'nextGrantMs')),
  target(
    'next grant after SIGSTOP, heartbeats',
    'at most',
    3,
    (get) => get(['death', 'sigstop'], 'nextGrantMs') / 10_000,
  ),
  target(
    'hand-off with 2,000 waiters to that with 10',
    'at most',
    1.5,
    (get) =>
      get(['growth', '2000-waiters-0-ms'], 'latencyP50Ms') /
      get(['growth', '10-waiters-0-ms'], 'latencyP50Ms'),
  ),
  target('a waiter, KiB of the client', 'at most', 25, (get) => get(['rest', 'waiting'], 'clientKiBEach')),
  target('1,000 held locks, % of a core', 'at most', 2, (get) => get(['rest', 'held'], 'clientCpuPercent')),
  target(
    'a fresh name to that of the naive lock',
    'at most',
    1.2,
    (get) => get(FRESH, 'cycleP50Ms') / get.sibling('naive', FRESH, 'cycleP50Ms'),
  ),
  target(
    'a fresh name in slots to a warm name',
    'at most',
    1.05,
    (get) => get.sibling('batonmq-slots', FRESH, 'cycleP50Ms') / get(WARM, 'cycleP50Ms'),
  ),
];

export interface Verdict {
  readonly what: string;
  readonly peer: string;
  /** The median of those of the runs. */
  readonly value: number;
  readonly ofRuns: readonly number[];
  readonly wanted: string;
  readonly met: boolean;
}

/** Of those for which everything was measured. */
export function verdicts(results: Results): Verdict[] {
  const runs = Array.from({ length: results.runs }, (_, index) => ({
    ...results,
    samples: results.samples.filter(({ run }) => run === index + 1),
  }));
  return ['', '-4.3'].flatMap((suffix) => {
    const own = `batonmq${suffix}`;
    return TARGETS.flatMap(({ what, side, limit, of }) => {
      // What was not measured, or measured against nothing, is not finite.
      const ofRuns = runs.map((run) => of(getter(run, own, suffix))).filter(Number.isFinite);
      if (ofRuns.length === 0) return [];
      const value = median(ofRuns);
      const met = side === 'at most' ? value <= limit : value >= limit;
      return [{ what, peer: own, value, ofRuns, wanted: `${side} ${limit}`, met }];
    });
  });
}

function getter(results: Results, own: string, suffix: string): Get {
  const summary = (peer: string, [scenario, it]: Where, figure: string) =>
    summarise(results.samples, { scenario, case: it, peer }, figure, hopServerOf(own, results));
  const get = (where: Where, figure: string) => summary(own, where, figure).value;
  return Object.assign(get, {
    inHops: (where: Where, figure: string) => summary(own, where, figure).hops,
    peer: (id: string, where: Where, figure: string) => summary(id, where, figure).value,
    sibling: (family: string, where: Where, figure: string) =>
      summary(`${family}${suffix}`, where, figure).value,
  });
}

export function targetTable(results: Results): Table {
  const rows = verdicts(results).map(({ what, peer, value, ofRuns, wanted, met }) => [
    what,
    peer,
    show(value),
    ofRuns.map(show).join(', '),
    wanted,
    met ? 'yes' : 'no',
  ]);
  return { title: 'Targets', rows: [['', 'peer', 'median', 'of each run', 'wanted', 'met'], ...rows] };
}

const show = (value: number): string => value.toFixed(value < 10 ? 3 : 0);
