import { expect, test } from 'vitest';
import { runTicks } from './fleet.ts';

test('at-least-once: each of 200 ticks is run, whatever becomes of the workers', async () => {
  const { counts, range, stopped, killed } = await runTicks('at-least-once');
  expect(range.length).toBeGreaterThanOrEqual(200);
  expect(range.filter((tick) => !counts.has(tick)).map((tick) => new Date(tick))).toEqual([]);
  expect(counts.get(stopped)).toBeGreaterThan(1);
  expect(counts.get(killed)).toBeGreaterThan(1);
});
