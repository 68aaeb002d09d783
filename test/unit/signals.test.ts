import { getEventListeners } from 'node:events';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { onAbort } from '../../src/abort.ts';
import type { Coordinator, Lease } from '../../src/index.ts';
import { TestBroker } from '../../src/testing/index.ts';

let baton: Coordinator;
let held: Lease;

beforeEach(async () => {
  baton = new TestBroker().connect();
  held = await baton.lock('jobs').acquire();
});
afterEach(() => baton.close({ drainMs: 0 }));

/** No more than what every AbortSignal has had from the beginning. */
const POLYFILL = `({
  aborted: false,
  listeners: [],
  addEventListener(type, listener) { this.listeners.push(listener); },
  removeEventListener(type, listener) { this.listeners = this.listeners.filter((each) => each !== listener); },
  abort() { this.aborted = true; for (const listener of this.listeners) listener({ type: 'abort' }); },
})`;

interface Polyfill extends AbortSignal {
  abort(): void;
  readonly listeners: readonly unknown[];
}

describe('a signal is known by its shape', () => {
  test('a polyfill of another realm ends a wait, and nothing is left on it', async () => {
    const signal = runInNewContext(POLYFILL) as Polyfill;
    expect(signal).not.toBeInstanceOf(AbortSignal);
    const waiting = baton.lock('jobs').acquire({ signal });
    signal.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    expect(signal.listeners).toEqual([]);
    await expect(baton.lock('jobs').tryAcquire({ signal })).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('one of another realm with a reason of its own gives that reason', async () => {
    const { signal, abort, reason } = runInNewContext(`
      const signal = ${POLYFILL};
      const reason = { mine: true };
      ({ signal, reason, abort() { signal.reason = reason; signal.abort(); } })`) as {
      signal: AbortSignal;
      abort(): void;
      reason: unknown;
    };
    const waiting = baton.lock('jobs').acquire({ signal });
    abort();
    await expect(waiting).rejects.toBe(reason);
  });
});

describe('one listener for each signal', () => {
  test('1,000 waits on one signal print no warning and leave no listener behind', async () => {
    const warned = vi.fn();
    process.on('warning', warned);
    const abort = new AbortController();
    const reason = new Error('enough');
    const waits = Array.from({ length: 1_000 }, () => baton.lock('jobs').acquire({ signal: abort.signal }));
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(1);
    const settled = Promise.allSettled(waits);
    abort.abort(reason);
    for (const outcome of await settled) expect(outcome).toEqual({ status: 'rejected', reason });
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', warned);
    expect(warned).not.toHaveBeenCalled();
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0);
  });

  test('is gone when its last wait ends otherwise', async () => {
    const { signal } = new AbortController();
    await expect(baton.lock('jobs').acquire({ signal, timeoutMs: 5 })).rejects.toThrow();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    await held.release();
    await (await baton.lock('jobs').acquire({ signal })).release();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('a callback that throws does not stop the others', async () => {
    const abort = new AbortController();
    const called = vi.fn();
    const thrown = new Promise((resolve) => {
      const listeners = process.listeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      process.once('uncaughtException', (error) => {
        for (const listener of listeners) process.on('uncaughtException', listener);
        resolve(error);
      });
    });
    const bug = new Error('bug');
    onAbort(abort.signal, () => {
      throw bug;
    });
    onAbort(abort.signal, called);
    abort.abort();
    expect(called).toHaveBeenCalledTimes(1);
    expect(await thrown).toBe(bug);
  });
});
