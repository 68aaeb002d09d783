import { performance } from 'node:perf_hooks';
import type { Instant } from './protocol/instant.ts';

/** Where time comes from: the system, or a test. */
export interface Clock {
  now(): Instant;
  /** Calls back once when the monotonic clock has reached `atMono`. Returns a function that cancels it. */
  setTimer(atMono: number, callback: () => void): () => void;
}

const MAX_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => ({ mono: performance.now(), wall: Date.now() }),
  setTimer(atMono, callback) {
    const delay = Math.min(Math.max(0, Math.ceil(atMono - performance.now())), MAX_DELAY_MS);
    const timer = setTimeout(callback, delay);
    return () => clearTimeout(timer);
  },
};
