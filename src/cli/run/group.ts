import { readdirSync, readFileSync } from 'node:fs';

/** Sends a signal to every process of the group. False when there is none left. */
export function signalGroup(pgid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pgid, signal);
    return true;
  } catch (error) {
    // EPERM: what is left of it runs as somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Whether a process of the group still runs. A zombie does not: where process 1 reaps nobody, as in many containers,
 * the grandchildren of a command stay zombies for ever, and kill(2) takes them for alive.
 */
export function isGroupAlive(pgid: number): boolean {
  return signalGroup(pgid, 0) && runningIn(pgid) !== false;
}

/** Undefined where there is no Linux /proc. */
function runningIn(pgid: number): boolean | undefined {
  const pids = list('/proc').filter((name) => /^\d+$/.test(name));
  if (pids.length === 0) return undefined;
  return pids.some((pid) => {
    // pid (command, which may hold anything) state ppid pgrp …
    const [state, , group] = read(`/proc/${pid}/stat`)
      .replace(/^.*\) /s, '')
      .split(' ');
    return Number(group) === pgid && state !== 'Z' && state !== 'X';
  });
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
