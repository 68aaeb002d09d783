import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Met, oneContender, severalContenders } from './model.ts';

test('one contender keeps every rule whatever happens in whatever order', () => {
  const met = new Met();
  fc.assert(oneContender(met), { numRuns: 8_000 });
  expect(met.grants).toBeGreaterThan(met.contenders / 10);
  expect(met.refusals).toBeGreaterThan(met.contenders / 10);
  expect(met.losses).toBeGreaterThan(met.contenders / 40);
  expect(met.releases).toBeGreaterThan(10);
});

test('several contenders of one process that share what they have seen keep every rule', () => {
  const met = new Met();
  fc.assert(severalContenders(met), { numRuns: 5_000 });
  expect(met.grants).toBeGreaterThan(met.contenders / 20);
  expect(met.losses).toBeGreaterThan(10);
});
