/**
 * Breaks the product on purpose, once for each mutant, and demands that the case named for it fails.
 *
 *     npm run test:sabotage                     every mutant against its named case
 *     npm run test:sabotage -- 'proof by echo'  only the mutants whose names contain this
 *     npm run test:sabotage -- --all            every mutant against the whole contract, listing all that fails (two hours)
 */
import { provideBroker, shareBroker } from '../support/broker/index.ts';
import { Copies, misfits, ROOT } from './copies.ts';
import type { Edit, Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';
import { fullName, NO_SUCH_CASE, type Outcomes, tryOut } from './trial.ts';

/** As many as the smallest of our machines has cores. */
const AT_ONCE = 2;
const LIMIT_MS = 60_000;
const LIMIT_ALL_MS = 30 * 60_000;

/** Some mutants make their case wait for ever. The control runs with the same limit. */
const IMPATIENT: Edit = {
  file: 'test/contract/contract.ts',
  find: 'each.timeoutMs ?? 30_000',
  replace: '12_000',
};
/** A failure like this says nothing about the rule: the mutant is broken, or the broker is gone. */
const NOT_A_CATCH = /^(?:SyntaxError|ReferenceError|TypeError)\b|ECONNREFUSED|no broker is shared/;

interface Verdict {
  readonly mutant: Mutant;
  readonly caught: boolean;
  readonly how: string;
  readonly seconds: number;
}

const all = process.argv.includes('--all');
const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const chosen = mutants.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
const log = (line: string): void => void process.stderr.write(`${line}\n`);
const copies = new Copies();

process.exitCode = await main().catch((error: unknown) => {
  log(error instanceof Error ? error.message : String(error));
  return 1;
});

async function main(): Promise<number> {
  const common = all ? [] : [IMPATIENT];
  const stale = await Promise.all(
    [{ name: 'the shorter time-out', edits: common }, ...chosen].map(async ({ name, edits }) =>
      (await misfits(ROOT, edits)).map((problem) => `"${name}" no longer applies: ${problem}`),
    ),
  );
  if (chosen.length === 0) stale.push(['no mutant has such a name']);
  for (const problem of stale.flat()) log(problem);
  if (stale.flat().length > 0) return 1;

  const original = await copies.make(ROOT, common);
  await using broker = await provideBroker({ log });
  log(`RabbitMQ ${broker.version} (${broker.how}), ${chosen.length} mutants`);
  shareBroker(broker);
  return await (all ? everything(original) : namedCases(original)); // the broker goes when this returns
}

async function namedCases(original: string): Promise<number> {
  const cases = new Map(chosen.map(({ caughtBy }) => [fullName(caughtBy), caughtBy]));
  const healthy = await tryOut(original, [...cases.values()], LIMIT_MS * 5);
  const failing = [...healthy].filter(([, how]) => how !== undefined);
  for (const [name, how] of failing) log(`control: fails without any sabotage: ${name}: ${how}`);
  if (failing.length > 0) return 1;
  log(`control: all ${cases.size} named cases pass without sabotage`);

  const verdicts: Verdict[] = [];
  const left = [...chosen];
  const work = async () => {
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
      let verdict = await judge(mutant, original);
      // On a busy machine what the case provokes may not come about.
      if (!verdict.caught) verdict = await judge(mutant, original);
      verdicts.push(verdict);
      log(`${verdict.caught ? 'caught  ' : 'SURVIVED'} ${mutant.name} (${verdicts.length}/${chosen.length})`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  verdicts.sort((a, b) => chosen.indexOf(a.mutant) - chosen.indexOf(b.mutant));
  print(verdicts);
  return verdicts.every(({ caught }) => caught) ? 0 : 1;
}

async function judge(mutant: Mutant, original: string): Promise<Verdict> {
  const started = performance.now();
  const verdict = (caught: boolean, how: string) => {
    return { mutant, caught, how, seconds: (performance.now() - started) / 1_000 };
  };
  const copy = await copies.make(original, mutant.edits);
  try {
    const how = (await tryOut(copy, [mutant.caughtBy], LIMIT_MS)).get(fullName(mutant.caughtBy));
    if (how === undefined) return verdict(false, 'the case passed');
    return how === NO_SUCH_CASE || NOT_A_CATCH.test(how)
      ? verdict(false, `not a catch: ${how}`)
      : verdict(true, how);
  } catch (error) {
    return verdict(false, String(error));
  } finally {
    await copies.remove(copy);
  }
}

/** One after another: alarms and restarts are part of it. */
async function everything(original: string): Promise<number> {
  const failuresOf = (outcomes: Outcomes) =>
    [...outcomes].flatMap(([name, how]) => (how === undefined ? [] : [[name, how] as const]));
  const control = new Map(failuresOf(await tryOut(original, 'all', LIMIT_ALL_MS)));
  for (const [name, how] of control) console.log(`fails without sabotage: ${name}: ${how}`);
  let survivors = 0;
  for (const mutant of chosen) {
    const copy = await copies.make(original, mutant.edits);
    const failures = await tryOut(copy, 'all', LIMIT_ALL_MS).then(failuresOf, (error: unknown) => {
      return [['the run as a whole', String(error)] as const];
    });
    await copies.remove(copy);
    const due = failures.filter(([name]) => !control.has(name));
    if (!due.some(([name]) => name === fullName(mutant.caughtBy))) survivors += 1;
    console.log(`\n${mutant.name}: ${due.length} cases fail. ${mutant.why}`);
    for (const [name, how] of due) console.log(`  ${name}\n    ${how}`);
  }
  return survivors === 0 && control.size === 0 ? 0 : 1;
}

function print(verdicts: readonly Verdict[]): void {
  const rows = verdicts.map(({ mutant, caught, how, seconds }) => [
    mutant.name,
    caught ? fullName(mutant.caughtBy) : `SURVIVED ${fullName(mutant.caughtBy)}`,
    how,
    seconds.toFixed(1),
  ]);
  const limits = [40, 70, 90, 7];
  const table = [['mutant', 'caught by', 'how', 'seconds'], ...rows].map((row) =>
    row.map((cell, i) => (cell.length > (limits[i] ?? 0) ? `${cell.slice(0, (limits[i] ?? 0) - 1)}…` : cell)),
  );
  const widths = limits.map((_, i) => Math.max(...table.map((row) => row[i]?.length ?? 0)));
  for (const row of table) console.log(row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | '));
}
