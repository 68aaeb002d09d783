/**
 * One moment on both clocks, in milliseconds. The monotonic clock cannot be set but stops while a machine is
 * suspended; the wall clock goes on but can be set. A lease must be valid on both.
 */
export interface Instant {
  readonly mono: number;
  readonly wall: number;
}

/** Milliseconds left of a span that began at `from`, on the clock that is further ahead. Never negative. */
export function remaining(from: Instant, spanMs: number, now: Instant): number {
  return Math.max(0, spanMs - Math.max(now.mono - from.mono, now.wall - from.wall));
}
