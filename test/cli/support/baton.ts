/** The command as a process, and what its tests ask of the world around it. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { type ConnectOptions, type Coordinator, connect } from '../../../src/index.ts';
import { openQueueAccess } from '../../contract/harness/queue-access.ts';
import { sharedBroker } from '../../support/broker/index.ts';
import { Program } from '../../support/processes.ts';
import { childrenOf } from './processes.ts';

export const BROKER = sharedBroker();

const COMMAND = process.env.BATON_TEST_COMMAND ?? '';

export interface BatonOptions {
  /**
   * Added to an environment without any `BATON_` variable but BATON_URL and BATON_QUIET, because on a busy machine every
   * call may have to wait; `undefined` removes a variable.
   */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What it reads from stdin; nothing by default. */
  readonly input?: string;
  /** The file to run, in the place of the command that was built for this run. */
  readonly command?: string;
}

/** Starts `baton` with these arguments; it is killed at the end of the test. */
export function baton(
  args: readonly string[],
  { env = {}, input, command = COMMAND }: BatonOptions = {},
): Program {
  const child = spawn(process.execPath, [command, ...args], {
    env: { ...environment(), BATON_URL: BROKER.url, BATON_QUIET: '1', ...env },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  child.stdin?.end(input);
  const program = new Program('baton', child);
  // Not awaited: its end is that of everybody who has its stdout.
  onTestFinished(() => program.signal('SIGKILL'));
  return program;
}

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `baton` to its end. */
export async function batonResult(args: readonly string[], options?: BatonOptions): Promise<Result> {
  const program = baton(args, options);
  const { code } = await program.exit;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

/** Runs a shell script in which `baton` is the command, in a folder of its own with the broker in BATON_URL. */
export async function shellResult(script: string): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'batonmq-cli-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const program = new Program(
    'sh',
    spawn('sh', ['-c', `baton() { '${process.execPath}' '${COMMAND}' "$@"; }\n${script}`], {
      cwd: folder,
      env: { ...environment(), BATON_URL: BROKER.url },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  onTestFinished(() => program.signal('SIGKILL'));
  const { code } = await program.exit;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

/** Without any `BATON_` variable. */
const environment = () =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('BATON_')));

/** A lock name of its own; its queue is removed at the end of the test. */
export async function lockName(what = 'cli'): Promise<string> {
  const name = `${what}-${randomUUID()}`;
  await openQueueAccess(BROKER.url, name, (cleanup) => onTestFinished(async () => void (await cleanup())));
  return name;
}

export async function coordinator(options?: ConnectOptions): Promise<Coordinator> {
  const it = await connect(BROKER.url, options);
  onTestFinished(() => it.close({ drainMs: 0 }));
  return it;
}

/** Resolves once stdout shows the pattern, with what it matched. */
export function shown(program: Program, pattern: RegExp): Promise<RegExpMatchArray> {
  return until(() => {
    const match = pattern.exec(program.stdout);
    if (match === null)
      throw new Error(`no ${pattern} in ${JSON.stringify(program.stdout)}; ${program.stderr}`);
    return match;
  });
}

/** Waits for a condition; nothing is tested about how long it takes. */
export const until = <T>(condition: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(condition, { timeout: 50_000, interval: 10 });

/** Whether the process runs; a zombie does not. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/^.*\) [ZX] /s.test(stat);
  } catch {
    return false;
  }
}

/** A copy of the built package that a test may damage: the file to run, and its guard. */
export async function packageCopy(): Promise<{ command: string; guard: string }> {
  const built = dirname(dirname(dirname(COMMAND)));
  // Beside it, where its dependencies are found.
  const folder = await mkdtemp(`${built}-copy-`);
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await cp(built, folder, { recursive: true });
  return { command: join(folder, 'dist/cli/main.js'), guard: join(folder, 'dist/cli/run/guard.js') };
}

/** The guard process of a `baton run`. */
export function guardOf(run: Program): Promise<number> {
  return until(() => {
    const [guard] = childrenOf(run.pid).filter(({ args }) => args.includes('guard.js'));
    if (guard === undefined) throw new Error(`no guard; ${run.stderr}`);
    return guard.pid;
  });
}

/** A shell command that goes on until `end()` is called. */
export async function openEnded(): Promise<{ script: string; end(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'batonmq-cli-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'end');
  return {
    script: `while [ ! -e ${file} ]; do sleep 0.05; done`,
    end: () => writeFile(file, ''),
  };
}
