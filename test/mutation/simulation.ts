import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { printTable } from '../simulation/report/table.ts';
import { type Copies, ROOT } from './copies.ts';
import type { SimulationMutant } from './mutant.ts';
import type { Finding } from './simulation-trial.ts';

const AT_ONCE = 2;
const LIMIT_MS = 300_000;
const run = promisify(execFile);

/** Demands that a check of the simulator notices each. Prints which, and how soon. */
export async function againstSimulation(
  mutants: readonly SimulationMutant[],
  copies: Copies,
): Promise<boolean> {
  const original = await copies.make(ROOT, []);
  console.log(`${mutants.length} rules, each removed in a copy of the code`);
  const findings = new Map<SimulationMutant, Finding | string | null>();
  const left = [...mutants];
  const work = async () => {
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
      const copy = await copies.make(original, mutant.edits);
      const found = await tryOut(copy, mutant);
      await copies.remove(copy);
      findings.set(mutant, found);
      console.log(`  ${mutant.name}: ${typeof found === 'object' ? (found?.what ?? 'NOT NOTICED') : found}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return print(mutants, findings);
}

/** What was found; null when nothing was, a sentence when the trial itself failed. */
async function tryOut(
  copy: string,
  { caughtBy: { worlds } }: SimulationMutant,
): Promise<Finding | string | null> {
  const program = join(copy, 'test/mutation/simulation-trial.ts');
  try {
    const { stdout } = await run(
      process.execPath,
      ['--import', 'tsx', program, ...(worlds === undefined ? [] : ['--world', worlds])],
      {
        cwd: copy,
        timeout: LIMIT_MS,
      },
    );
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Finding | null;
  } catch (error) {
    return `THE TRIAL FAILED: ${error instanceof Error ? error.message.split('\n').slice(0, 8).join(' ') : error}`;
  }
}

function print(
  mutants: readonly SimulationMutant[],
  findings: ReadonlyMap<SimulationMutant, Finding | string | null>,
): boolean {
  const rows: (string | number)[][] = [
    [
      'trap',
      'rule that is removed',
      'noticed by',
      'mode',
      'in world',
      'steps to it',
      'after steps or states',
    ],
  ];
  let survivors = 0;
  for (const mutant of mutants) {
    const found = findings.get(mutant);
    const trap = mutant.trap === undefined ? '' : String(mutant.trap);
    if (found === null || typeof found !== 'object') {
      survivors += 1;
      rows.push([trap, mutant.name, found === null ? 'NOTHING' : 'TRIAL FAILED', '', '', '', '']);
    } else {
      rows.push([trap, mutant.name, found.rule, found.mode, found.world, found.steps, found.after]);
    }
  }
  printTable(rows);
  console.log(
    survivors === 0 ? `  all ${mutants.length} are noticed` : `  ${survivors} of ${mutants.length} are not`,
  );
  return survivors === 0;
}
