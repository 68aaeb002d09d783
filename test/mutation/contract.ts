import { provideBroker, shareBroker } from '../support/broker/index.ts';
import { fullName, NO_SUCH_CASE, type Outcomes, tryOut } from './contract-trial.ts';
import { type Copies, misfits, ROOT } from './copies.ts';
import type { ContractMutant, Edit } from './mutant.ts';

/** As many as the smallest of our machines has cores. */
const AT_ONCE = 2;
const LIMIT_MS = 120_000;
const LIMIT_ALL_MS = 30 * 60_000;

/** Some mutants make their case wait without end. It may take this long, and three times as long as with nothing broken. */
const IMPATIENCE_MS = 12_000;
const impatient = (caseMs: number): Edit => ({
  file: 'test/contract/contract.ts',
  find: 'each.timeoutMs ?? 60_000',
  replace: String(Math.max(IMPATIENCE_MS, Math.ceil(3 * caseMs))),
});
/** A failure like this says nothing about the rule: the mutant is broken, or the broker is gone. */
const NOT_A_CATCH = /^(?:SyntaxError|ReferenceError|TypeError)\b|ECONNREFUSED|no broker is shared/;

interface Verdict {
  readonly mutant: ContractMutant;
  readonly caught: boolean;
  readonly how: string;
  readonly seconds: number;
}

const log = (line: string): void => void process.stderr.write(`${line}\n`);

/** Resolves with whether every mutant was caught by its case. `all`: against the whole contract, listing all that fails. */
export async function againstContract(
  mutants: readonly ContractMutant[],
  copies: Copies,
  all: boolean,
): Promise<boolean> {
  if ((await misfits(ROOT, [impatient(0)])).length > 0)
    throw new Error('the shorter time-out no longer applies');
  const original = await copies.make(ROOT, []);
  await using broker = await provideBroker({ log });
  log(`RabbitMQ ${broker.version} (${broker.how}), ${mutants.length} mutants`);
  shareBroker(broker);
  const chosen = { mutants, copies, original };
  return await (all ? everything(chosen) : namedCases(chosen)); // the broker goes when this returns
}

interface Chosen {
  readonly mutants: readonly ContractMutant[];
  readonly copies: Copies;
  readonly original: string;
}

async function namedCases({ mutants, copies, original }: Chosen): Promise<boolean> {
  const cases = new Map(mutants.map(({ caughtBy }) => [fullName(caughtBy), caughtBy]));
  const healthy = await tryOut(original, [...cases.values()], LIMIT_MS * 5);
  const failing = [...healthy].filter(([, { how }]) => how !== undefined);
  for (const [name, { how, ms }] of failing)
    log(`control: fails with nothing broken, after ${Math.round(ms)} ms: ${name}: ${how}`);
  if (failing.length > 0) return false;
  const longest = Math.max(...[...healthy.values()].map(({ ms }) => ms));
  log(
    `control: all ${cases.size} named cases pass with nothing broken, in ${Math.round(longest)} ms at most`,
  );

  const verdicts: Verdict[] = [];
  const left = [...mutants];
  const work = async () => {
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
      const caseMs = healthy.get(fullName(mutant.caughtBy))?.ms ?? 0;
      const verdict = await judge(mutant, [...mutant.edits, impatient(caseMs)], { copies, original });
      verdicts.push(verdict);
      log(
        `${verdict.caught ? 'caught  ' : 'SURVIVED'} ${mutant.name} (${verdicts.length}/${mutants.length})`,
      );
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  verdicts.sort((a, b) => mutants.indexOf(a.mutant) - mutants.indexOf(b.mutant));
  print(verdicts);
  return verdicts.every(({ caught }) => caught);
}

async function judge(
  mutant: ContractMutant,
  edits: readonly Edit[],
  { copies, original }: Pick<Chosen, 'copies' | 'original'>,
): Promise<Verdict> {
  const started = performance.now();
  const verdict = (caught: boolean, how: string) => {
    return { mutant, caught, how, seconds: (performance.now() - started) / 1_000 };
  };
  const copy = await copies.make(original, edits);
  try {
    const how = (await tryOut(copy, [mutant.caughtBy], LIMIT_MS)).get(fullName(mutant.caughtBy))?.how;
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
async function everything({ mutants, copies, original }: Chosen): Promise<boolean> {
  const failuresOf = (outcomes: Outcomes) =>
    [...outcomes].flatMap(([name, { how }]) => (how === undefined ? [] : [[name, how] as const]));
  const control = new Map(failuresOf(await tryOut(original, 'all', LIMIT_ALL_MS)));
  for (const [name, how] of control) console.log(`fails with nothing broken: ${name}: ${how}`);
  let survivors = 0;
  for (const mutant of mutants) {
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
  return survivors === 0 && control.size === 0;
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
