import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './copies.ts';
import { HARNESSES, type NamedCase } from './mutant.ts';

/** A test that ran. */
export interface Outcome {
  /** How it failed, in one line; undefined when it passed. */
  readonly how: string | undefined;
  readonly ms: number;
}
export type Outcomes = ReadonlyMap<string, Outcome>;

interface JsonReport {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly duration?: number;
      readonly failureMessages: readonly string[] | null;
    }[];
  }[];
}

/** The outcome of a case that no harness has under that name. */
export const NO_SUCH_CASE = 'there is no such case';

export const fullName = ({ harness, title }: NamedCase): string => `${HARNESSES[harness].name} ${title}`;

/**
 * Runs these cases, or all of every harness, on a copy, against the broker that is shared through the environment.
 * Rejects when that could not be done: a file did not load, vitest did not end in time.
 */
export async function tryOut(
  copy: string,
  cases: readonly NamedCase[] | 'all',
  limitMs: number,
): Promise<Outcomes> {
  const harnesses =
    cases === 'all' ? Object.values(HARNESSES) : cases.map(({ harness }) => HARNESSES[harness]);
  const report = join(copy, 'report.json');
  const said = await runVitest(copy, limitMs, [
    ...new Set(harnesses.map(({ file }) => file)),
    ...['--no-file-parallelism', '--no-cache', '--testTimeout=60000', '--hookTimeout=120000'],
    ...['--reporter=json', `--outputFile=${report}`],
    ...(cases === 'all' ? [] : ['-t', patternOf(cases)]),
  ]);
  const json = await readFile(report, 'utf8').catch(() => {
    throw new Error(`vitest left no report: ${said.slice(-2_000)}`);
  });
  const outcomes = read(JSON.parse(json) as JsonReport);
  for (const name of cases === 'all' ? [] : cases.map(fullName)) {
    if (!outcomes.has(name)) outcomes.set(name, { how: NO_SUCH_CASE, ms: 0 });
  }
  return outcomes;
}

function read({ testResults }: JsonReport): Map<string, Outcome> {
  const outcomes = new Map<string, Outcome>();
  for (const { message, assertionResults } of testResults) {
    if (assertionResults.length === 0) throw new Error(`a test file did not load: ${message}`);
    for (const { fullName, status, duration: ms = 0, failureMessages } of assertionResults) {
      if (status === 'passed') outcomes.set(fullName, { how: undefined, ms });
      if (status === 'failed')
        outcomes.set(fullName, { how: firstLine(failureMessages?.[0] ?? 'no message'), ms });
    }
  }
  return outcomes;
}

/** Vitest's error for a test that timed out has its sentence in the message only, and the report has only the stack. */
function firstLine(failure: string): string {
  const line = failure.split('\n')[0] ?? '';
  return line.includes('STACK_TRACE_ERROR') ? 'timed out' : line;
}

const patternOf = (cases: readonly NamedCase[]): string =>
  `^(?:${cases.map((each) => fullName(each).replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')})$`;

/** Resolves with what vitest printed; that tests failed is in its report. */
function runVitest(copy: string, limitMs: number, args: readonly string[]): Promise<string> {
  const { BATON_TEST_REPORT_DIR: _reports, BATON_REPEAT: _repeat, ...env } = process.env;
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [vitest, 'run', `--root=${copy}`, ...args], {
      cwd: copy,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    const listen = (chunk: Buffer) => {
      said += chunk.toString();
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    const limit = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`vitest did not end within ${limitMs / 1_000} s`));
    }, limitMs);
    const killChild = () => child.kill('SIGKILL');
    process.on('exit', killChild);
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(limit);
      process.off('exit', killChild);
      resolve(said);
    });
  });
}
