import { execFileSync } from 'node:child_process';

/** The command lines of all descendants, one a line. */
export function descendantsOf(pid: number): string {
  const rows = execFileSync('ps', ['-e', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' })
    .split('\n')
    .map((row) => /^ *(\d+) +(\d+) (.*)$/.exec(row))
    .filter((row) => row !== null);
  const below = (parent: string): string[] =>
    rows.filter((row) => row[2] === parent).flatMap((row) => [row[3] ?? '', ...below(row[1] ?? '')]);
  return below(String(pid)).join('\n');
}
