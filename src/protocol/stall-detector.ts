import type { Instant } from './instant.ts';

/**
 * The stall guard's memory: the last two beats of a timer. A delivery can be old, because it may have sat in the
 * socket while the process stood still. After a stall the timer runs before the socket is read, so the last beat
 * proves nothing; the one before it does.
 */
export interface StallDetector {
  readonly last: Instant;
  readonly previous: Instant;
}

/** How often to beat. Four beats fit the window, so one late beat is not taken for a stall. */
export const BEAT_MS = 250;
const STALL_MS = 1_000;

export function beat(detector: StallDetector | undefined, now: Instant): StallDetector {
  return { last: now, previous: detector?.last ?? now };
}

/** Whether the process can show that it ran during the last second, on both clocks. */
export function ranLately(detector: StallDetector | undefined, now: Instant): boolean {
  if (detector === undefined) return false;
  const age = Math.max(now.mono - detector.previous.mono, Math.abs(now.wall - detector.previous.wall));
  return age <= STALL_MS;
}
