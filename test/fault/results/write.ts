/**
 * `tsx test/fault/results/write.ts RUNFOLDER…`: checks finished runs, keeps a summary of each in docs/results, and writes
 * the tables of docs/guarantees.md from all summaries. Without a folder: only the tables. `--docs FOLDER` does it to other documents.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { run } from '../../support/broker/run.ts';
import { checkFolder } from '../checker/index.ts';
import { summarise, summarySchema } from './summary.ts';
import { nameOf, render, replaceBetween } from './table.ts';

const DOCS = fileURLToPath(new URL('../../../docs', import.meta.url));
/** As the project's own check wants to see it. */
const AS_JSON = ['npx', 'biome', 'format', '--stdin-file-path=docs/results/summary.json'];

const { values, positionals } = parseArgs({
  options: { docs: { type: 'string', default: DOCS } },
  allowPositionals: true,
});
const RESULTS = join(values.docs, 'results');
const GUARANTEES = join(values.docs, 'guarantees.md');

await mkdir(RESULTS, { recursive: true });
for (const folder of positionals) {
  const summary = summarise(await checkFolder(folder));
  const file = join(RESULTS, `${nameOf(summary)}.json`);
  await writeFile(file, await run(AS_JSON, { input: JSON.stringify(summary) }));
  console.log(`${basename(file)}: ${JSON.stringify(summary.violations)}`);
}
const names = (await readdir(RESULTS)).filter((name) => name.endsWith('.json')).sort();
const runs = await Promise.all(
  names.map(async (name) => summarySchema.parse(JSON.parse(await readFile(join(RESULTS, name), 'utf8')))),
);
await writeFile(GUARANTEES, replaceBetween(await readFile(GUARANTEES, 'utf8'), render(runs)));
console.log(`${runs.length} runs in the tables of docs/guarantees.md`);
