import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EVIDENCE, printTable, type Rows, writePage } from '../simulation/report/table.ts';
import { type Copies, ROOT } from './copies.ts';
import type { SimulationMutant } from './mutant.ts';
import { MUTANTS } from './mutants/index.ts';
import type { Finding } from './simulation-trial.ts';

const AT_ONCE = 2;
const LIMIT_MS = 300_000;
/** Where each rule was missed the last time. It only says where to look first. */
const LAST = join(EVIDENCE, 'mutants.json');
const HEAD = `# Rules taken away

Written by \`npm run test:mutation -- --by simulation --write\`. Numbers of traps are those of
[docs/protocol.md](../../docs/protocol.md).`;
const run = promisify(execFile);

type Last = Readonly<Record<string, Pick<Finding, 'world' | 'mode'>>>;

/** Demands that a check of the simulator notices each. Prints which, and how soon. */
export async function againstSimulation(
  mutants: readonly SimulationMutant[],
  copies: Copies,
  write: boolean,
): Promise<boolean> {
  const original = await copies.make(ROOT, []);
  const last = JSON.parse(await readFile(LAST, 'utf8')) as Last;
  console.log(`${mutants.length} rules, each removed in a copy of the code`);
  const findings = new Map<SimulationMutant, Finding | string | null>();
  const left = [...mutants];
  const work = async () => {
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
      const copy = await copies.make(original, mutant.edits);
      const found = await tryOut(copy, mutant, last[mutant.name]);
      await copies.remove(copy);
      findings.set(mutant, found);
      console.log(`  ${mutant.name}: ${typeof found === 'object' ? (found?.what ?? 'NOT NOTICED') : found}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const { survivors, rows } = tableOf(mutants, findings);
  printTable(rows);
  console.log(
    survivors === 0 ? `  all ${mutants.length} are noticed` : `  ${survivors} of ${mutants.length} are not`,
  );
  if (write) {
    await writePage('mutants.md', HEAD, rows);
    const found = [...findings].flatMap(([{ name }, it]) =>
      it === null || typeof it === 'string' ? [] : [[name, { world: it.world, mode: it.mode }] as const],
    );
    const all = { ...last, ...Object.fromEntries(found) };
    const kept = MUTANTS.flatMap(({ name }) => (name in all ? [[name, all[name]] as const] : []));
    await writeFile(LAST, `${JSON.stringify(Object.fromEntries(kept), undefined, 2)}\n`);
  }
  return survivors === 0;
}

/** What was found; null when nothing was, a sentence when the trial itself failed. */
async function tryOut(
  copy: string,
  { caughtBy: { worlds } }: SimulationMutant,
  last: Last[string] | undefined,
): Promise<Finding | string | null> {
  const program = join(copy, 'test/mutation/simulation-trial.ts');
  const where = [
    ...(worlds === undefined ? [] : ['--world', worlds]),
    ...(last === undefined ? [] : ['--last-world', last.world, '--last-mode', last.mode]),
  ];
  try {
    const { stdout } = await run(process.execPath, ['--import', 'tsx', program, ...where], {
      cwd: copy,
      timeout: LIMIT_MS,
    });
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Finding | null;
  } catch (error) {
    return `THE TRIAL FAILED: ${error instanceof Error ? error.message.split('\n').slice(0, 8).join(' ') : error}`;
  }
}

function tableOf(
  mutants: readonly SimulationMutant[],
  findings: ReadonlyMap<SimulationMutant, Finding | string | null>,
): { survivors: number; rows: Rows } {
  const rows: (string | number)[][] = [
    ['trap', 'rule that is removed', 'noticed by', 'mode', 'in world', 'steps to it'],
  ];
  let survivors = 0;
  for (const mutant of mutants) {
    const found = findings.get(mutant);
    const trap = mutant.trap === undefined ? '–' : String(mutant.trap);
    if (found === null || typeof found !== 'object') {
      survivors += 1;
      rows.push([trap, mutant.name, found === null ? 'NOTHING' : 'TRIAL FAILED', '', '', '']);
    } else {
      rows.push([trap, mutant.name, found.rule, found.mode, found.world, found.steps]);
    }
  }
  return { survivors, rows };
}
