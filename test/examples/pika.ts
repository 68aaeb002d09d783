import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { aptInstall, isRoot } from '../support/broker/debian.ts';
import { run } from '../support/broker/run.ts';

export const FOLDER = fileURLToPath(new URL('../../docs/examples/python/', import.meta.url));
/** The distribution's own: the one that its packages are for. */
const PYTHON = '/usr/bin/python3';

/** Makes sure that there is pika, from Debian's package if need be. */
export async function providePika(): Promise<void> {
  const works = () => run([PYTHON, '-c', 'import pika']);
  await works().catch(async (cause: unknown) => {
    if (!isRoot()) throw new Error('this test takes pika: install the package python3-pika', { cause });
    await aptInstall(['python3-pika'], (line) => console.error(line));
    await works();
  });
}

/** Runs Python in the folder of the example, and resolves with the JSON that it printed. */
export async function evaluate(source: string, input: unknown): Promise<unknown> {
  const program = `import json, sys; sys.path.insert(0, ${JSON.stringify(FOLDER)})\n${source}`;
  const output = await run([PYTHON, '-B', '-c', program], { input: JSON.stringify(input) });
  return JSON.parse(output);
}

/** The worker as a child process, for `Program`. */
export function spawnWorker(env: Record<string, string>) {
  return spawn(PYTHON, ['-B', `${FOLDER}worker.py`], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
