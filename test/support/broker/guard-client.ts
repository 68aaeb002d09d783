import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { GuardAnswer, GuardSpec } from './guard.ts';

const GUARD = fileURLToPath(new URL('./guard.ts', import.meta.url));
const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));

/** A started guard, in the process that owns it. */
export class Guard {
  readonly socket: string;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess, socket: string) {
    this.#child = child;
    this.socket = socket;
  }

  /** Ends node and guard, and removes the folders. Idempotent. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.ref();
    this.#child.stdin?.destroy();
    await gone;
  }
}

/** Starts a guard, which starts the node. It ends when this process does; it does not keep this process alive. */
export async function startGuard(spec: GuardSpec): Promise<Guard> {
  const child = spawn(process.execPath, ['--import', 'tsx', GUARD], {
    cwd: PROJECT,
    stdio: ['pipe', 'pipe', 'pipe'],
    // A session of its own, out of reach of the terminal's Ctrl-C.
    detached: true,
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => {});
  child.stdin.write(`${JSON.stringify(spec)}\n`);
  const ready = once(createInterface({ input: child.stdout }), 'line');
  const failed = once(child, 'exit').then(() => {
    throw new Error(`the guard of the broker's node did not start: ${stderr.trim()}`);
  });
  failed.catch(() => {});
  await Promise.race([ready, failed]);
  for (const stream of [child.stdin, child.stdout, child.stderr]) {
    if ('unref' in stream && typeof stream.unref === 'function') stream.unref();
  }
  child.unref();
  return new Guard(child, spec.socket);
}

/** Asks a guard, from any process: `start` and `kill` answer when it is done. */
export async function askGuard(socket: string, request: 'start' | 'kill' | 'state'): Promise<GuardAnswer> {
  const line = connect(socket);
  try {
    line.write(`${request}\n`);
    const [reply] = await once(createInterface({ input: line }), 'line');
    return JSON.parse(String(reply)) as GuardAnswer;
  } catch (error) {
    throw new Error('the guard of the broker does not answer: was the broker stopped?', { cause: error });
  } finally {
    line.destroy();
  }
}
