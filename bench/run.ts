/** `npm run bench -- --help` */
import { Ground } from './ground.ts';
import { measureAll } from './measure.ts';
import { HELP, parseOptions } from './options.ts';
import { terminalTable, terminalTables } from './report/tables.ts';
import { targetTable } from './report/targets.ts';
import { writeReport } from './report/write.ts';
import { RuleSkippedError } from './scenarios/scenario.ts';

const started = performance.now();
const log = (line: string): void => {
  const seconds = Math.round((performance.now() - started) / 1_000);
  const clock = [Math.floor(seconds / 60), seconds % 60].map((part) => String(part).padStart(2, '0'));
  console.error(`${clock.join(':')}  ${line}`);
};

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') {
    console.log(HELP);
    return;
  }
  const ground = await Ground.prepare(options.peers, log);
  try {
    const results = await measureAll(options, ground, log);
    console.log(terminalTables(results));
    // The cases of a smoke test are not what the targets are about.
    if (!options.quick) console.log(terminalTable(targetTable(results)));
    if (options.out !== undefined) await writeReport(results, options.out, log);
    if (results.failures.length > 0) process.exitCode = 1;
  } finally {
    await ground[Symbol.asyncDispose]();
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof RuleSkippedError ? `\n${error.message}` : error);
  process.exitCode = 1;
});
