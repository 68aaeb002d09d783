/** Largest value of a signed 64-bit integer: what a database column or another client can hold. */
export const INT64_MAX = 2n ** 63n - 1n;

/** How many fences a new token has for each return: one for its holder, the others for local hand-offs. */
export const FENCES_PER_RETURN = 1_024;

/**
 * The largest base, and the largest fence that is believed: a process that has seen a higher one could make no token any
 * more. What says more is a foreign message, in the lock's queue and in its register. A base made from the clock stays
 * below this until the year 2248, and 2^40 fences, more than 10^9 returns come to, are left to int64.
 */
export const BASE_MAX = INT64_MAX - 2n ** 40n;

const CLOCK_SHIFT = 20n;

/**
 * base + stride times how often the broker took the token back. Rises with every return, because the count is in the
 * queue's Raft log. The holder of the token between two returns owns the fences between them.
 */
export function fenceOf(base: bigint, returns: number, fencesPerReturn: number): bigint {
  return base + BigInt(returns) * BigInt(fencesPerReturn);
}

/**
 * The base of a new token: above the clock (2^20 fences a millisecond, 200 times more than a broker can hand out) and
 * above every fence that this process has seen for the name. Throws RangeError when int64 is used up.
 */
export function nextBase(wallMs: number, highestSeen: bigint): bigint {
  const clock = BigInt(Math.max(0, Math.floor(wallMs))) << CLOCK_SHIFT;
  const base = clock > highestSeen ? clock : highestSeen + 1n;
  if (base > BASE_MAX) throw new RangeError(`no fence is left in int64 above ${highestSeen}`);
  return base;
}
