import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect } from 'vitest';
import type { Coordinator, Lease, Lock, LockTrace } from '../../../src/index.ts';
import type { Scene } from '../contract.ts';

/** Resolves when `count` contenders of this process have got a place in the queue of `lock`, counted from this call. */
export function inLine(lock: string, count = 1): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0;
    const onMessage = (message: unknown) => {
      if ((message as LockTrace).lock !== lock) return;
      seen += 1;
      if (seen < count) return;
      unsubscribe('batonmq:waiting', onMessage);
      resolve();
    };
    subscribe('batonmq:waiting', onMessage);
  });
}

/** Starts an acquire and resolves when it has its place in line. */
export async function queueUp(lock: Lock): Promise<{ lease: Promise<Lease> }> {
  const waiting = inLine(lock.name);
  const lease = lock.acquire();
  lease.catch(() => {}); // judged by anybody who awaits it
  await waiting;
  return { lease };
}

/** Resolves with the loss once the lease's signal has aborted. */
export function lossOf(lease: Lease): Promise<{ code: string; reason: string; at: number }> {
  return new Promise((resolve) => {
    const done = () =>
      resolve({ ...lease.signal.reason, reason: lease.signal.reason.reason, at: performance.now() });
    if (lease.signal.aborted) done();
    else lease.signal.addEventListener('abort', done, { once: true });
  });
}

/** Fails the test when two are inside at once. */
export class Section {
  #inside = 0;
  entered = 0;
  readonly fences: bigint[] = [];

  async pass(lease: Lease, work: () => Promise<void> = async () => {}): Promise<void> {
    this.#inside += 1;
    expect(this.#inside, 'holders at once').toBe(1);
    this.entered += 1;
    this.fences.push(lease.fence);
    await work();
    this.#inside -= 1;
  }
}

/** Every fence above the one before. */
export function expectRising(fences: readonly bigint[]): void {
  for (let i = 1; i < fences.length; i += 1) {
    expect(fences[i], `fence ${i} after ${fences[i - 1]}`).toBeGreaterThan(fences[i - 1] ?? 0n);
  }
}

/** A rejection's error, or a failure of the test when it resolved. */
export async function rejection(
  promise: Promise<unknown>,
): Promise<{ code?: string; message: string; reason?: string }> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('value' in outcome) return expect.fail(`resolved with ${String(outcome.value)}`);
  return outcome.error as { message: string };
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** The next time this coordinator reports `state`. */
export function stateOf(coordinator: Coordinator, state: string): Promise<void> {
  return new Promise((resolve) => {
    const onState = ({ to }: { to: string }) => {
      if (to !== state) return;
      coordinator.off('state', onState);
      resolve();
    };
    coordinator.on('state', onState);
  });
}

/** How often this coordinator has given a token back and stayed: questions, and the marks that a release takes away. */
export const asked = (scene: Scene, coordinator: Coordinator): number =>
  scene.proxy(coordinator).sent('basic.nack') + scene.proxy(coordinator).sent('basic.reject');

/** A short lease, with the heartbeat that goes with it, so that faults are felt in seconds. */
export const SHORT = { heartbeatMs: 1_000, leaseMs: 1_500, verifyEveryMs: 500 } as const;

/**
 * How long this process stood still at most since the call. A bound on what it does holds from when it runs again; on
 * a busy machine that is not at once.
 */
export function stallMeter(): () => number {
  let [last, longest] = [performance.now(), 0];
  const look = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last - 10);
    last = now;
  };
  const timer = setInterval(look, 10);
  return () => {
    clearInterval(timer);
    look();
    return longest;
  };
}
