import { expect, it } from 'vitest';
import { misfits, ROOT } from '../../mutation/copies.ts';
import { isOfContract, isOfSimulation, MUTANTS } from '../../mutation/mutants/index.ts';

it('each mutant has a name of its own among those that are caught in the same way', () => {
  for (const table of [MUTANTS.filter(isOfContract), MUTANTS.filter(isOfSimulation)]) {
    const names = table.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  }
});

it.each([...MUTANTS])('finds once what it takes away: $name', async ({ edits }) => {
  expect(edits.length).toBeGreaterThan(0);
  expect(await misfits(ROOT, edits)).toEqual([]);
});
