import { describe, expect, test } from 'vitest';
import { FAULTS, faultsOf } from './faults/index.ts';
import { AIMED, describe as lineOf, type PlanOptions, plan, type Step } from './plan.ts';

const CLUSTER: PlanOptions = {
  seed: 1,
  kind: 'cluster',
  locks: ['l0', 'l1', 'l2', 'l3'],
  slots: 8,
  nodes: 3,
};

function take(options: PlanOptions, count: number): Step[] {
  const steps: Step[] = [];
  for (const step of plan(options)) {
    if (steps.push(step) === count) break;
  }
  return steps;
}

const linesOf = (options: PlanOptions): string[] => take(options, 300).map(lineOf);

describe('the plan of the nemesis', () => {
  test('is the same for the same seed, and another one for another', () => {
    expect(linesOf(CLUSTER)).toEqual(linesOf({ ...CLUSTER }));
    expect(linesOf(CLUSTER)).not.toEqual(linesOf({ ...CLUSTER, seed: 2 }));
  });

  test.each(['single', 'cluster'] as const)('aims every fault of a %s first at each phase', (kind) => {
    const steps = take({ ...CLUSTER, kind, nodes: kind === 'single' ? 1 : 3 }, 700);
    for (const { name, weight } of faultsOf(kind)) {
      const firsts = steps.filter(({ fault }) => fault.name === name).map(({ aims }) => aims[0]?.phase);
      if (weight > 0)
        expect(new Set(firsts), name).toEqual(
          new Set([...AIMED, ...(firsts.includes(undefined) ? [undefined] : [])]),
        );
    }
  });

  test('lets nothing happen to a single node that takes several', () => {
    const ofClusters = FAULTS.filter(({ site }) => site === 'cluster').map(({ name }) => name);
    const names = take({ ...CLUSTER, kind: 'single', nodes: 1 }, 300).map(({ fault }) => fault.name);
    expect(names.filter((name) => ofClusters.includes(name))).toEqual([]);
  });

  test('numbers its steps, and destroys a token before it waits for somebody who starts the lock over', () => {
    const steps = take(CLUSTER, 300);
    expect(steps.map(({ id }) => id)).toEqual(steps.map((_, index) => index + 1));
    const startOvers = steps.filter(({ aims }) => aims[0]?.step === 'purge');
    expect(startOvers.length).toBeGreaterThan(0);
    for (const { id, lock } of startOvers) {
      expect(steps[id - 2]).toMatchObject({
        lock,
        allLocks: false,
        fault: { name: 'policy-delivery-limit' },
      });
    }
  });

  test('upgrades a cluster once, where it is told to', () => {
    const upgrades = take({ ...CLUSTER, upgradeAt: 20 }, 100).filter(
      ({ fault }) => fault.name === 'cluster-upgrade',
    );
    expect(upgrades.map(({ id }) => id)).toEqual([20]);
    expect(linesOf(CLUSTER).join()).not.toContain('cluster-upgrade');
  });
});
