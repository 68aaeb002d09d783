/**
 * `tsx test/fault/results/write.ts RUNFOLDER…`: checks finished runs, keeps a summary of each in evidence/chaos, and writes
 * results.md there from all summaries. Without a folder: only that. `--out FOLDER` does it elsewhere.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { checkFolder } from '../checker/index.ts';
import { summarise, summarySchema } from './summary.ts';
import { nameOf, render } from './table.ts';

const EVIDENCE = fileURLToPath(new URL('../../../evidence/chaos', import.meta.url));
const HEAD = `# What the runs under faults have shown

Written by \`npm run test:chaos:results\`. What the columns mean, and how the runs were made, is in
[docs/guarantees.md](../../docs/guarantees.md).
`;

const { values, positionals } = parseArgs({
  options: { out: { type: 'string', default: EVIDENCE } },
  allowPositionals: true,
});
const { out } = values;

await mkdir(out, { recursive: true });
for (const folder of positionals) {
  const summary = summarise(await checkFolder(folder));
  const file = join(out, `${nameOf(summary)}.json`);
  await writeFile(file, `${JSON.stringify(summary, undefined, 2)}\n`);
  console.log(`${basename(file)}: ${JSON.stringify(summary.violations)}`);
}
const names = (await readdir(out)).filter((name) => name.endsWith('.json')).sort();
const runs = await Promise.all(
  names.map(async (name) => summarySchema.parse(JSON.parse(await readFile(join(out, name), 'utf8')))),
);
await writeFile(join(out, 'results.md'), `${HEAD}\n${render(runs)}\n`);
console.log(`${runs.length} runs in ${join(out, 'results.md')}`);
