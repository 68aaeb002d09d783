import { measureCycles } from './cycle.ts';
import type { Scenario } from './scenario.ts';

export const fresh: Scenario = {
  id: 'fresh',
  letter: 'B',
  title: 'Acquire and release, uncontended, on a fresh name',
  cases: [{ id: 'fresh', title: 'a fresh name' }],
  aboutS: 2,
  measure: (slice) => measureCycles(slice, true),
};
