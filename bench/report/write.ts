/**
 * Turns results into files. By itself, `tsx bench/report/write.ts RESULTS.json [--docs]` does it again for the results of
 * an earlier run.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { replaceBetween } from '../../test/fault/results/table.ts';
import { run } from '../../test/support/broker/run.ts';
import { decodeResults, encodeResults, type Results } from '../sample.ts';
import { pictures } from './pictures.ts';
import { hopTable, markdown, scenarioTables } from './tables.ts';
import { targetTable } from './targets.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const DOCS = join(PROJECT, 'docs');
const MARKS: [string, string] = ['<!-- bench:begin -->', '<!-- bench:end -->'];

type Log = (line: string) => void;

/** results.json, results.md and the charts, in this folder. */
export async function writeReport(results: Results, folder: string, log: Log): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'results.json'), encodeResults(results));
  await writeFile(join(folder, 'results.md'), figures(results, '.'));
  for (const [name, svg] of pictures(results)) await writeFile(join(folder, name), svg);
  log(`the figures are in ${folder}`);
}

/** Into docs/performance.md, with the results and the charts in docs/performance. */
export async function writeDocs(results: Results, log: Log): Promise<void> {
  const folder = join(DOCS, 'performance');
  await mkdir(folder, { recursive: true });
  await writeFormatted(join(folder, 'results.json'), encodeResults(results));
  for (const [name, svg] of pictures(results)) await writeFile(join(folder, name), svg);
  const page = join(DOCS, 'performance.md');
  const text = await readFile(page, 'utf8');
  await writeFormatted(page, replaceBetween(text, figures(results, 'performance'), MARKS));
  log('the figures are in docs/performance.md');
}

/** As the project's own check wants to see it. */
async function writeFormatted(file: string, text: string): Promise<void> {
  const format = ['npx', 'biome', 'format', `--stdin-file-path=${relative(PROJECT, file)}`];
  await writeFile(file, await run(format, { input: text }));
}

function figures(results: Results, folder: string): string {
  const { at, package: name, machine, servers, seconds, runs, failures } = results;
  const names = [...pictures(results).keys()];
  return [
    `${name}, ${at.slice(0, 10)}. ${machine}.`,
    `${Object.values(servers).join(', ')}.`,
    `Medians of ${runs} run${runs === 1 ? '' : 's'}, slices of ${seconds} s.`,
    '',
    ...names.map((file) => `![${file.replace('.svg', '')}](${folder}/${file})`),
    '',
    ...[targetTable(results), hopTable(results), ...scenarioTables(results)].map((table) => markdown(table)),
    ...(failures.length === 0
      ? []
      : ['### What failed', '', ...failures.map((failure) => `- ${failure}`), '']),
  ]
    .join('\n')
    .trim();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    options: { docs: { type: 'boolean' } },
    allowPositionals: true,
  });
  const [file = ''] = positionals;
  const results = decodeResults(await readFile(file, 'utf8'));
  if (values.docs) await writeDocs(results, console.error);
  else await writeReport(results, dirname(file), console.error);
}
