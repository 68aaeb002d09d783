import { expect, it } from 'vitest';
import { verdicts } from '../../../bench/report/targets.ts';
import type { Results, Sample } from '../../../bench/sample.ts';

const CASE = { scenario: 'handoff', case: '8-waiters-0-ms' };

/** Grants per second of ours and of ZooKeeper, run by run. */
function results(...runs: readonly (readonly [ours: number, zookeeper: number])[]): Results {
  const samples = runs.flatMap(([ours, theirs], index): Sample[] => [
    { ...CASE, run: index + 1, peer: 'batonmq', figures: { grantsPerS: ours } },
    { ...CASE, run: index + 1, peer: 'zookeeper', figures: { grantsPerS: theirs } },
  ]);
  const servers = { 'rabbitmq-3.10': 'RabbitMQ 3.10.8' };
  return { at: '', package: '', machine: '', servers, seconds: 1, runs: runs.length, samples, failures: [] };
}

it('compares within each run, and takes the median of the runs', () => {
  const [only, ...others] = verdicts(results([300, 1_000], [900, 1_000], [90, 100]));
  expect(others).toEqual([]);
  expect(only).toEqual({
    what: 'grants/s to those of ZooKeeper',
    peer: 'batonmq',
    value: 0.9,
    ofRuns: [0.3, 0.9, 0.9],
    wanted: 'at least 0.8',
    met: true,
  });
});

it('leaves out the runs in which there was nothing to compare with', () => {
  const [only] = verdicts(results([300, 0], [500, 1_000]));
  expect(only).toMatchObject({ value: 0.5, ofRuns: [0.5], met: false });
});
