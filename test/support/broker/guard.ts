/**
 * The process that owns a private node, so that the node cannot outlive anybody who asked for it.
 *
 *     owner ──stdin (held open)──▶ guard ──parent of──▶ node
 *     any process of the test run ──unix socket: start, kill, state──▶ guard
 *
 * When the owner ends, in whatever way, SIGKILL included, the pipe closes: the guard kills the node's process
 * group, removes its folders and ends. The node may die and be started again; it always stays the guard's child.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

export interface GuardSpec {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Removed at the end. */
  readonly folders: readonly string[];
  readonly socket: string;
  /** Where the node's stdout and stderr go. */
  readonly output: string;
}

export interface GuardAnswer {
  /** The node's process, null when it is not running. */
  readonly pid: number | null;
}

let spec: GuardSpec | undefined;
let node: ChildProcess | undefined;

const isRunning = (child: ChildProcess | undefined): child is ChildProcess =>
  child?.pid !== undefined && child.exitCode === null && child.signalCode === null;

function start(): void {
  if (spec === undefined || isRunning(node)) return;
  const [file = '', ...args] = spec.command;
  const output = openSync(spec.output, 'a');
  node = spawn(file, args, { env: spec.env, stdio: ['ignore', output, output], detached: true });
  node.on('error', () => {});
}

async function kill(): Promise<void> {
  const child = node;
  if (!isRunning(child) || child.pid === undefined) return;
  const gone = once(child, 'exit');
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
  await gone;
}

async function leave(): Promise<void> {
  await kill();
  for (const folder of spec?.folders ?? []) {
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
  process.exit(0);
}

async function answer(request: string): Promise<GuardAnswer> {
  if (request === 'start') start();
  if (request === 'kill') await kill();
  return { pid: isRunning(node) ? (node.pid ?? null) : null };
}

function serve(socket: Socket): void {
  socket.on('error', () => {});
  createInterface({ input: socket }).on('line', (request) => {
    void answer(request).then((reply) => socket.write(`${JSON.stringify(reply)}\n`));
  });
}

// The owner may be gone before it has read what we say.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});
// Ctrl-C and the like are for the owner; its end is what ends us.
process.on('SIGINT', () => {});
process.on('SIGHUP', () => {});
process.on('SIGTERM', () => void leave());

createInterface({ input: process.stdin })
  .once('line', (line) => {
    spec = JSON.parse(line) as GuardSpec;
    start();
    createServer(serve).listen(spec.socket, () => process.stdout.write('ready\n'));
  })
  .once('close', () => void leave());
