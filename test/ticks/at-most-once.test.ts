import { expect, test } from 'vitest';
import { runTicks } from './fleet.ts';

test('at-most-once: of 200 ticks none is run twice, and no more is lost than what was interrupted', async () => {
  const { counts, range } = await runTicks('at-most-once');
  expect([...counts].filter(([, count]) => count > 1).map(([tick]) => new Date(tick))).toEqual([]);
  // Two workers were interrupted after they had begun. A busy machine can cost more leases.
  expect(counts.size).toBeGreaterThan(0.9 * range.length);
});
