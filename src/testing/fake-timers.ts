/** Fake timers of Sinon, which Vitest and Jest use, sign what they put in the place of a global. */
const isFake = (global: object): boolean => 'clock' in global;

/**
 * Fake timers must stand in for setTimeout and for performance, or for neither: with one of them alone no lease would
 * ever end. Vitest before 3 leaves `performance` out unless told otherwise.
 */
export function refuseHalfFakes(): void {
  const [timers, monotonic] = [isFake(setTimeout), isFake(performance)];
  if (timers === monotonic) return;
  const [fake, real] = timers ? ['setTimeout', 'performance'] : ['performance', 'setTimeout'];
  throw new TypeError(
    `TestBroker: fake timers must replace both setTimeout and performance, got ${fake} alone. Add '${real}' to toFake, or pass a ManualClock: new TestBroker({ clock: new ManualClock() })`,
  );
}
