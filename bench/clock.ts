/** Milliseconds of the machine's monotonic clock, which on Linux is the same in all processes. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}
