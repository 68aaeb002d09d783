import { existsSync } from 'node:fs';
import { aptInstall, isRoot } from '../support/broker/debian.ts';

/** The loader puts the machine's library folder in the place of $LIB. The variant for programs with threads. */
const LIBRARY = '/usr/$LIB/faketime/libfaketimeMT.so.1';

/** Makes sure that there is libfaketime, from Debian's package if need be. */
export async function provideFaketime(): Promise<void> {
  if (existsSync('/usr/bin/faketime')) return;
  if (!isRoot()) throw new Error('this test takes libfaketime: install the package faketime');
  await aptInstall(['faketime'], (line) => console.error(line));
}

/**
 * The environment of a process, and of its children, whose wall clock is so far ahead. Not by the program faketime,
 * which stays as a parent and would get the signals. The monotonic clock is that of the machine: timers are as they are.
 */
export const clockAhead = (seconds: number): Record<string, string> => ({
  LD_PRELOAD: LIBRARY,
  FAKETIME: `${seconds < 0 ? '' : '+'}${seconds}s`,
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
  FAKETIME_NO_CACHE: '1',
});
