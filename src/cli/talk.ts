import { fstatSync, writeFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { visible, visibleJson } from './visible.ts';

/**
 * All that the command says goes through here, on stdout and stderr, and what is not to be seen in it is made visible:
 * names, tags and error texts are words of others, who may write anything.
 */

const STDOUT = 1;
const STDERR = 2;
const CLEAR = '\x1b[H\x1b[2J';
const FULL_MS = 10;
const MOST_UNSAID_BYTES = 1_000_000;

/** Stdout took no more: `EPIPE` when nobody reads it, `ENOSPC` when the disk is full. */
export class OutputError extends Error {
  override readonly name = 'OutputError';
  readonly code: string;

  constructor(cause: unknown) {
    super('the output could not be written', { cause });
    this.code = String((cause as { code?: unknown } | null)?.code);
  }
}

/** Lines to people, on stdout. Resolves when all of it is out; rejects with {@link OutputError}. */
export async function printLines(lines: readonly string[], { redraw = false } = {}): Promise<void> {
  const clear = redraw && isatty(STDOUT) ? CLEAR : '';
  await print(`${clear}${lines.map((line) => `${visible(line)}\n`).join('')}`);
}

/** One line of JSON to programs, on stdout; as {@link printLines}. */
export async function printJson(value: object): Promise<void> {
  await print(`${visibleJson(JSON.stringify(value))}\n`);
}

/** One line to people, on stderr. */
export function say(line: string): void {
  tell(`baton: ${visible(line)}\n`);
}

/** One line of a log, which is JSON, on stderr. */
export function log(json: string): void {
  tell(`${visibleJson(json.trimEnd())}\n`);
}

/** Asks on a terminal, and resolves with the answer. */
export async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await terminal.question(visible(question));
  } finally {
    terminal.close();
  }
}

async function print(text: string): Promise<void> {
  try {
    const to = fstatSync(STDOUT);
    // Node writes to a pipe what fits (64 KiB), and the rest when there is room: after `process.exit` never. To a file it
    // writes at once, and does not look whether the disk took all of it.
    if (to.isFIFO() || to.isSocket() || isatty(STDOUT)) await printByAndBy(text);
    else writeFileSync(STDOUT, text);
  } catch (error) {
    throw new OutputError(error);
  }
}

function printByAndBy(text: string): Promise<void> {
  const { stdout } = process;
  return new Promise((resolve, reject) => {
    stdout.once('error', reject); // without a listener it would end the process
    stdout.write(text, (error) => {
      if (error) return reject(error);
      stdout.off('error', reject);
      resolve();
    });
  });
}

let unsaid = Buffer.alloc(0);

/**
 * Not by `process.stderr`: Node makes a pipe there non-blocking, for everybody who writes to it, and the command under
 * `baton run` has the same one. But that command may have done so, and then a full pipe takes nothing for a while.
 */
function tell(text: string): void {
  const isWaiting = unsaid.length > 0;
  if (unsaid.length < MOST_UNSAID_BYTES) unsaid = Buffer.concat([unsaid, Buffer.from(text)]);
  if (isWaiting) return;
  writeUnsaid();
  if (unsaid.length > 0) void allSaid();
}

/** Resolves when stderr has taken everything, or nothing more after so many tries, {@link FULL_MS} apart. */
export async function allSaid({ tries = Number.POSITIVE_INFINITY } = {}): Promise<void> {
  for (let left = tries; unsaid.length > 0 && left > 0; left -= 1) {
    await pause(FULL_MS);
    writeUnsaid();
  }
}

function writeUnsaid(): void {
  try {
    while (unsaid.length > 0) unsaid = unsaid.subarray(writeSync(STDERR, unsaid));
  } catch (error) {
    if (Reflect.get(Object(error), 'code') !== 'EAGAIN') unsaid = Buffer.alloc(0); // nobody reads it any more
  }
}
