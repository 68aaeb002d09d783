/**
 * Turns results into files. By itself, `tsx bench/report/write.ts RESULTS.json` does it again for the results of an
 * earlier run.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeResults, encodeResults, type Results } from '../sample.ts';
import { pictures } from './pictures.ts';
import { hopTable, markdown, scenarioTables } from './tables.ts';
import { targetTable } from './targets.ts';

type Log = (line: string) => void;

/** results.json, results.md and the charts, in this folder. */
export async function writeReport(results: Results, folder: string, log: Log): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'results.json'), encodeResults(results));
  await writeFile(join(folder, 'results.md'), `${figures(results)}\n`);
  for (const [name, svg] of pictures(results)) await writeFile(join(folder, name), svg);
  log(`the figures are in ${folder}`);
}

function figures(results: Results): string {
  const { at, package: name, machine, servers, seconds, runs, failures } = results;
  const names = [...pictures(results).keys()];
  return [
    `${name}, ${at.slice(0, 10)}. ${machine}.`,
    `${Object.values(servers).join(', ')}.`,
    `Medians of ${runs} run${runs === 1 ? '' : 's'}, slices of ${seconds} s.`,
    '',
    ...names.map((file) => `![${file.replace('.svg', '')}](./${file})`),
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
  const [file = ''] = process.argv.slice(2);
  await writeReport(decodeResults(await readFile(file, 'utf8')), dirname(file), console.error);
}
