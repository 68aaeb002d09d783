import type { Finding } from './finding.ts';

/** What was found of one lock: a finding whose `says` follows the lock's name. */
export interface Judgement extends Finding {
  /** `lock "x"`, or `the state of lock "x"`. */
  readonly of: string;
  /** What is said when it was found of several, if that is not the same. */
  readonly saysOfMany?: string;
}

const NAMED = 3;

/** One finding for all that is the same: of how many, and the first names. */
export function grouped(judgements: readonly Judgement[]): Finding[] {
  const groups = new Map<string, Judgement[]>();
  for (const judgement of judgements) {
    const { check, level, says, saysOfMany = says } = judgement;
    const alike = [check, level, saysOfMany].join();
    groups.set(alike, [...(groups.get(alike) ?? []), judgement]);
  }
  return [...groups.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    const { of, says, saysOfMany = says, ...finding } = first;
    if (others.length === 0) return [{ ...finding, says: `${of} ${says}` }];
    const all = [first, ...others].map((it) => it.of);
    const more = all.length > NAMED ? ` and ${all.length - NAMED} more` : '';
    const named = `${all.slice(0, NAMED).join(', ')}${more}`;
    const fix = finding.fix && { fix: `${finding.fix}   # the first; and the others alike` };
    return [{ ...finding, ...fix, says: `${all.length} alike (${named}): each ${saysOfMany}`, all }];
  });
}
