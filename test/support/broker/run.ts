import { spawn } from 'node:child_process';

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  /** 60 s by default. */
  readonly timeoutMs?: number;
}

export class CommandError extends Error {
  readonly code: number | string | null;

  constructor(command: readonly string[], code: number | string | null, output: string) {
    super(
      `${command.join(' ').slice(0, 300)} failed (${code}): ${output.trim().slice(-2000) || 'no output'}`,
    );
    this.name = 'CommandError';
    this.code = code;
  }
}

/** Runs a command to its end and resolves with its stdout. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const [file = '', ...args] = command;
  const { env = process.env, input = '', timeoutMs = 60_000 } = options;
  return new Promise((resolve, reject) => {
    // A group of its own: at a timeout whatever the command started must go with it.
    const child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    let timer = setTimeout(() => {
      stderr += `\ngave up after ${timeoutMs} ms`;
      killGroup(child.pid, 'SIGTERM');
      // SIGTERM lets it clean up behind itself; not without end.
      timer = setTimeout(() => killGroup(child.pid, 'SIGKILL'), 5_000);
    }, timeoutMs);
    child.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(new CommandError(command, error.code ?? null, error.message));
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      if (code === 0) resolve(stdout);
      else reject(new CommandError(command, code, stderr || stdout));
    });
    // A command that ends without reading its input is no error of ours.
    child.stdin.on('error', () => {}).end(input);
  });
}

function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // Already gone.
  }
}
