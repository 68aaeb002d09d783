/**
 * Breaks the product on purpose, once for each mutant, and demands that what is named for it notices.
 *
 *     npm run test:mutation                             every mutant
 *     npm run test:mutation -- --by contract            those that a case of the contract must catch; or simulation
 *     npm run test:mutation -- --only 'proof by echo'   those whose names contain this, or one of several with commas
 *     npm run test:mutation -- --by simulation --write  and the table of evidence/simulation
 *     npm run test:mutation -- --by contract --all      each against the whole contract, listing all that fails (two hours)
 */
import { parseArgs } from 'node:util';
import { againstContract } from './contract.ts';
import { Copies, misfits, ROOT } from './copies.ts';
import { isOfContract, isOfSimulation, MUTANTS } from './mutants/index.ts';
import { againstSimulation } from './simulation.ts';

const { values } = parseArgs({
  options: {
    by: { type: 'string' },
    only: { type: 'string' },
    all: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});
if (values.by !== undefined && values.by !== 'contract' && values.by !== 'simulation')
  throw new Error(`--by is contract or simulation, got ${values.by}`);

if (values.write && (values.only !== undefined || values.by === 'contract'))
  throw new Error('--write is of all mutants of the simulation: leave --only and --by contract out');

const words = values.only?.split(',') ?? [''];
const chosen = MUTANTS.filter(({ name }) => words.some((word) => name.includes(word)));
const ofContract = values.by === 'simulation' ? [] : chosen.filter(isOfContract);
const ofSimulation = values.by === 'contract' ? [] : chosen.filter(isOfSimulation);

async function main(): Promise<boolean> {
  if (ofContract.length + ofSimulation.length === 0) throw new Error('no mutant has such a name');
  let applies = true;
  for (const { name, edits } of [...ofContract, ...ofSimulation]) {
    for (const problem of await misfits(ROOT, edits)) {
      console.error(`"${name}" no longer applies: ${problem}`);
      applies = false;
    }
  }
  if (!applies) return false;
  const copies = new Copies();
  const noticed = ofSimulation.length === 0 || (await againstSimulation(ofSimulation, copies, values.write));
  const caught = ofContract.length === 0 || (await againstContract(ofContract, copies, values.all));
  return noticed && caught;
}

process.exitCode = (await main()) ? 0 : 1;
