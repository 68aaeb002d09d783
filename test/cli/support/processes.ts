import { execFileSync } from 'node:child_process';

interface Row {
  readonly pid: number;
  readonly parent: number;
  readonly args: string;
}

export function childrenOf(pid: number): readonly Row[] {
  return execFileSync('ps', ['-e', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' })
    .split('\n')
    .map((row) => /^ *(\d+) +(\d+) (.*)$/.exec(row))
    .filter((row) => row !== null)
    .map(([, own, parent, args = '']) => ({ pid: Number(own), parent: Number(parent), args }))
    .filter(({ parent }) => parent === pid);
}

/** The command lines of all descendants, one a line. */
export function descendantsOf(pid: number): string {
  return childrenOf(pid)
    .flatMap((child) => [child.args, descendantsOf(child.pid)])
    .filter((line) => line !== '')
    .join('\n');
}
