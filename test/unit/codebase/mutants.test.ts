import { describe, expect, it } from 'vitest';
import { misfits, ROOT } from '../../sabotage/copies.ts';
import { mutants } from '../../sabotage/mutants.ts';
import { DELAYS } from '../../simulation/mutants/delays.ts';
import { OTHERS } from '../../simulation/mutants/others.ts';
import { REGISTER } from '../../simulation/mutants/register.ts';
import { RENEWALS } from '../../simulation/mutants/renewals.ts';
import { TRAPS } from '../../simulation/mutants/traps.ts';

const TABLES = {
  'of the contract': mutants,
  'of the simulation': [...DELAYS, ...OTHERS, ...REGISTER, ...RENEWALS, ...TRAPS],
};

describe.each(Object.entries(TABLES))('each mutant %s', (_which, table) => {
  it('has a name of its own', () => {
    const names = table.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it.each([...table])('finds once what it takes away: $name', async ({ edits }) => {
    expect(edits.length).toBeGreaterThan(0);
    expect(await misfits(ROOT, edits)).toEqual([]);
  });
});
