import type { Instant } from './protocol/instant.ts';

/** Where time comes from: the system, or a test. */
export interface Clock {
  now(): Instant;
  /** Calls back once when the monotonic clock has reached `atMono`. Returns a function that cancels it. */
  setTimer(atMono: number, callback: () => void): () => void;
}

/** The longest timer of Node, in milliseconds. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** By the globals, looked up at each call, so that all of it goes by a test's fake timers once they are there. */
export const systemClock: Clock = {
  now: () => ({ mono: performance.now(), wall: Date.now() }),
  setTimer(atMono, callback) {
    const delay = Math.min(Math.max(0, Math.ceil(atMono - performance.now())), MAX_TIMER_MS);
    const timer = setTimeout(callback, delay);
    return () => clearTimeout(timer);
  },
};
