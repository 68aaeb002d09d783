import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Copies, misfits, ROOT } from '../../sabotage/copies.ts';
import { printTable } from '../report/table.ts';
import { DELAYS } from './delays.ts';
import type { RuleMutant } from './mutant.ts';
import { OTHERS } from './others.ts';
import { REGISTER } from './register.ts';
import { RENEWALS } from './renewals.ts';
import { TRAPS } from './traps.ts';
import type { Finding } from './trial.ts';

const AT_ONCE = 2;
const LIMIT_MS = 300_000;
const run = promisify(execFile);

/** Breaks one rule after the other in copies of the code, and demands that a check notices. Prints which, and how soon. */
export async function proveByMutation(only: string | undefined): Promise<boolean> {
  const mutants = [...TRAPS, ...DELAYS, ...REGISTER, ...RENEWALS, ...OTHERS].filter(
    ({ name }) => only === undefined || only.split(',').some((part) => name.includes(part)),
  );
  const copies = new Copies();
  const original = await copies.make(ROOT, []);
  const problems: string[] = [];
  for (const { name, edits } of mutants) {
    for (const problem of await misfits(original, edits)) problems.push(`${name}: ${problem}`);
  }
  for (const problem of problems) console.log(`cannot be applied: ${problem}`);
  if (problems.length > 0) return false;
  console.log(`${mutants.length} rules, each removed in a copy of the code`);
  const findings = new Map<RuleMutant, Finding | string | null>();
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
async function tryOut(copy: string, { world }: RuleMutant): Promise<Finding | string | null> {
  const program = join(copy, 'test/simulation/mutants/trial.ts');
  try {
    const { stdout } = await run(
      process.execPath,
      ['--import', 'tsx', program, ...(world === undefined ? [] : ['--world', world])],
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
  mutants: readonly RuleMutant[],
  findings: ReadonlyMap<RuleMutant, Finding | string | null>,
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
