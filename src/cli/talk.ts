import { writeSync } from 'node:fs';

/**
 * One line to people, on stderr. Not by `process.stderr`: Node makes a pipe there non-blocking, for everybody who
 * writes to it, and the command under `baton run` has the same one.
 */
export function say(line: string): void {
  try {
    writeSync(2, `baton: ${line}\n`);
  } catch {
    // Nobody reads it any more, or the pipe is full.
  }
}
