/**
 * Short, so that a frozen holder is given up within seconds: the broker drops a client after two to three silent
 * heartbeats. Real fleets take the defaults (10 s and 15 s).
 */
export const LOCK_TIMES = { heartbeatMs: 1_000, leaseMs: 1_500, verifyEveryMs: 500 } as const;

/** The whole run, from a ready broker to the summary. */
export const RUN_LIMIT_MS = 60_000;

/** A frozen worker is woken even if nobody took over from it; the check then complains. */
export const FROZEN_LIMIT_MS = 15_000;

/** How long workers may take to say good-bye before they are killed. */
export const LEAVE_MS = 2_000;
