import { type ChildProcess, spawn } from 'node:child_process';
import type { Suite } from './suites.ts';

const KEEP_BYTES = 4_000_000;
/** Of a suite that failed, once more at the end: a record of a long run may keep its end only. */
const LAST_LINES = 40;

interface Outcome {
  readonly suite: Suite;
  readonly seconds: number;
  readonly passed: boolean;
  readonly said: string;
}

const children = new Set<ChildProcess>();
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    for (const child of children) child.kill(signal);
    process.exitCode = 1;
  });
}

const started = performance.now();
const log = (line: string): void => {
  const seconds = Math.round((performance.now() - started) / 1_000);
  const clock = `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`;
  process.stdout.write(`${clock}  ${line}\n`);
};

/** Resolves with an exit code when every suite has run: one that fails stops no other. */
export async function runLanes(lanes: readonly (readonly Suite[])[]): Promise<number> {
  const outcomes: Outcome[] = [];
  let left = lanes.flat().length;
  const runLane = async (lane: readonly Suite[]) => {
    for (const suite of lane) {
      log(`${suite.name} begins: ${suite.shows}`);
      const outcome = await runSuite(suite);
      outcomes.push(outcome);
      left -= 1;
      log(`${suite.name} ${outcome.passed ? 'passed' : 'FAILED'} in ${outcome.seconds} s (${left} to go)`);
    }
  };
  await Promise.all(lanes.map(runLane));
  const width = Math.max(...outcomes.map(({ suite }) => suite.name.length));
  process.stdout.write('\n');
  for (const { suite, seconds, passed } of outcomes) {
    const result = passed ? 'passed' : 'FAILED';
    process.stdout.write(
      `${suite.name.padEnd(width)}  ${result}  ${String(seconds).padStart(5)} s  ${suite.shows}\n`,
    );
  }
  const failed = outcomes.filter(({ passed }) => !passed);
  for (const { suite, said } of failed) {
    const end = said.trimEnd().split('\n').slice(-LAST_LINES).join('\n');
    process.stdout.write(`\n---- ${suite.name} failed; the last lines\n${end}\n`);
  }
  return failed.length === 0 ? 0 : 1;
}

/** Shows the end of what it printed when it fails. */
function runSuite(suite: Suite): Promise<Outcome> {
  const [command = '', ...args] = suite.command;
  const begun = performance.now();
  return new Promise((resolve) => {
    let said = '';
    const child = spawn(command, args, {
      env: { ...process.env, ...suite.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.add(child);
    const listen = (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-KEEP_BYTES);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    const end = (passed: boolean) => {
      children.delete(child);
      if (!passed) process.stdout.write(`\n---- ${suite.name}\n${said}\n---- end of ${suite.name}\n\n`);
      resolve({ suite, seconds: Math.round((performance.now() - begun) / 1_000), passed, said });
    };
    child.on('error', (error) => {
      said += String(error);
      end(false);
    });
    child.on('close', (code) => end(code === 0));
  });
}
