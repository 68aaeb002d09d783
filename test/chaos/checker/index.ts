import { check, type Verdict } from './check.ts';
import { readHistory } from './read.ts';

export { check, type Findings, type Verdict } from './check.ts';
export { describe } from './describe.ts';
export { isNear, touches } from './judgement.ts';
export { readHistory } from './read.ts';
export type { RunRecord } from './record.ts';
export type { Strike, Violation } from './types.ts';

/** Checks the histories in a folder. */
export async function checkFolder(folder: string): Promise<Verdict> {
  return check(await readHistory([folder]));
}
