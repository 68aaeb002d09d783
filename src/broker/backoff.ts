const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5_000;

/** Doubling from 100 ms to at most 5 s, with jitter between half and whole, so that a fleet does not come back at once. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const whole = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 16));
  return whole * (0.5 + random() / 2);
}
