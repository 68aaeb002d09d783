import { afterEach } from 'vitest';
import type { ConnectOptions, Coordinator } from '../../src/index.ts';
import type { ManualClock, TestBroker } from '../../src/testing/index.ts';

/** To be called where tests are described: coordinators that are closed after each test, on its own clock. */
export function coordinators(clock: () => ManualClock) {
  const connected: Coordinator[] = [];
  afterEach(async () => {
    const closing = Promise.all(connected.splice(0).map((baton) => baton.close({ drainMs: 0 })));
    await clock().advance(2_000); // a line that is slow or dead is not waited for any longer
    await closing;
  });
  return (to: TestBroker, options?: ConnectOptions): Coordinator => {
    const baton = to.connect(options);
    connected.push(baton);
    return baton;
  };
}

/** A promise whose outcome can be looked at while time moves. */
export function watch<T>(promise: Promise<T>): { value?: T; error?: unknown } {
  const seen: { value?: T; error?: unknown } = {};
  promise.then(
    (value) => Object.assign(seen, { value }),
    (error: unknown) => Object.assign(seen, { error }),
  );
  return seen;
}
