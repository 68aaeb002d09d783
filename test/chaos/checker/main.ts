/**
 * Checks the history of a run under faults: `tsx test/chaos/checker/main.ts FOLDER|FILE… [--json]`.
 * Exit code 0: it keeps what docs/guarantees.md promises; 1: it does not; 2: it could not be read.
 */
import { parseArgs } from 'node:util';
import { check } from './check.ts';
import { describe, outlineOf } from './describe.ts';
import { readHistory } from './read.ts';

const { values, positionals } = parseArgs({ options: { json: { type: 'boolean' } }, allowPositionals: true });
if (positionals.length === 0) {
  console.error('usage: tsx test/chaos/checker/main.ts FOLDER|FILE… [--json]');
  process.exit(2);
}
try {
  const verdict = check(await readHistory(positionals));
  console.log(values.json ? JSON.stringify(outlineOf(verdict)) : describe(verdict));
  process.exitCode = verdict.violations.length === 0 ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
