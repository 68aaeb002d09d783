import { check, describe as describeVerdict, readHistory } from '../checker/index.ts';
import { describe, plan } from '../nemesis/plan.ts';
import { parseCommand, USAGE, upgradeAt } from './options.ts';
import { Progress } from './progress.ts';
import { runUnderFaults } from './run.ts';
import { strikeTable } from './strike-table.ts';

const command = (() => {
  try {
    return parseCommand(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    return process.exit(64);
  }
})();

if (command.onlyPlan) {
  const { seed, site: kind, locks, slots, minutes } = command;
  const steps = plan({
    seed,
    kind,
    locks,
    slots,
    nodes: kind === 'single' ? 1 : 3,
    upgradeAt: upgradeAt(command),
  });
  // Strikes come every 4 s or so.
  for (const step of steps) {
    if (step.id > minutes * 20) break;
    console.log(describe(step));
  }
  process.exit(0);
}

const progress = new Progress();
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());
process.once('SIGTERM', () => interrupted.abort());
await runUnderFaults(command, progress, interrupted.signal);
progress.end();
const history = await readHistory([command.outDir]);
const verdict = check(history);
console.log(
  `${describeVerdict(verdict)}\n\n${strikeTable(history)}\n\nThe histories are in ${command.outDir}`,
);
for (const problem of progress.problems) console.error(`not as planned: ${problem}`);
process.exitCode = verdict.violations.length > 0 || progress.problems.length > 0 ? 1 : 0;
