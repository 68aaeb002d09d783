/** Which effect belongs to which strike. */
import { isNear, type RunRecord, type Strike, touches } from '../checker/index.ts';
import type { Phase } from '../history.ts';

const HAS_TOKEN: readonly Phase[] = ['holding', 'releasing', 'receiving', 'verifying'];
/** These pass within milliseconds: only who was held in them, or stopped with them, was certainly caught. */
const PASSING: readonly Phase[] = ['releasing', 'receiving', 'verifying', 'minting'];
const EXACT = /^(?:worker|line)-/;

/** The latest strike that can have touched this lock at this time, and if possible one of these processes. */
export function attribute(
  { plan, strikes }: RunRecord,
  lock: string,
  at: number,
  who: readonly string[],
): Strike | undefined {
  const near = strikes.filter((strike) => isNear(plan, strike, lock, { from: at, to: at }));
  return near.findLast((strike) => touches(strike, ...who)) ?? near.at(-1);
}

/**
 * For each lock that the strike touched: the longest time without a grant that was under way during it, counted from
 * the strike or the grant before, in milliseconds.
 */
export function nextGrants(record: RunRecord, strike: Strike): number[] {
  return [...locksOf(record, strike)].flatMap((lock) => {
    const holds = record.byLock.get(lock) ?? [];
    const next = firstAfter(holds, strike.from);
    let from = strike.from;
    let longest: number | undefined;
    for (let index = next; index < holds.length; index += 1) {
      const at = holds[index]?.grantedAt ?? 0;
      longest = Math.max(longest ?? 0, at - from);
      from = at;
      if (at > strike.to) break;
    }
    return longest === undefined ? [] : [longest / 1_000];
  });
}

function firstAfter(holds: readonly { readonly grantedAt: number }[], at: number): number {
  const index = holds.findIndex(({ grantedAt }) => grantedAt > at);
  return index < 0 ? holds.length : index;
}

/** The locks that a strike names, that its victims held, or all. */
function locksOf({ plan, byLock }: RunRecord, strike: Strike): Set<string> {
  const { locks, hit } = strike.event;
  if (locks !== undefined) return new Set(locks);
  if (touches(strike)) return new Set(plan.locks);
  const struck = new Set(hit.map(({ who }) => who));
  const named = hit.flatMap(({ lock, phase }) =>
    lock !== undefined && HAS_TOKEN.includes(phase) ? [lock] : [],
  );
  const held = [...byLock].filter(([, holds]) =>
    holds.some(
      ({ who, grantedAt, endedAt }) => struck.has(who) && grantedAt <= strike.from && strike.from < endedAt,
    ),
  );
  return new Set([...named, ...held.map(([lock]) => lock)]);
}

/** The phases in which the strike caught somebody. */
export function phasesOf({ fault, event }: Strike): Set<Phase> {
  const certain = event.hit.filter(
    ({ phase, held }) => held === true || EXACT.test(fault) || !PASSING.includes(phase),
  );
  return new Set(certain.map(({ phase }) => phase));
}
