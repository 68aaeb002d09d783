import { load } from '../load.ts';
import type { Open } from '../peer.ts';
import { connectRedis } from './ioredis.ts';

/** What is used of redlock 4. */
interface Redlock {
  lock(resource: string, ttlMs: number): Promise<{ unlock(): Promise<void> }>;
}
interface Settings {
  readonly retryCount: number;
  readonly retryDelay: number;
  readonly retryJitter: number;
}
type RedlockModule = { default: new (clients: object[], settings?: Settings) => Redlock };

/** It has no default; that of redis-semaphore. */
const TTL_MS = 10_000;
const TUNED = { retryCount: 10, retryDelay: 5, retryJitter: 2 };

/** Asks again until it has the lock: its own 10 retries are over after 2 seconds. */
export const open: Open = async ([url], { tuned }) => {
  const { default: Redlock } = await load<RedlockModule>('redlock');
  const redis = await connectRedis(url);
  const redlock = tuned ? new Redlock([redis], TUNED) : new Redlock([redis]);
  return {
    acquire: async (name, { signal }) => {
      for (;;) {
        try {
          const lock = await redlock.lock(name, TTL_MS);
          return { release: () => lock.unlock() };
        } catch (error) {
          signal.throwIfAborted();
          if (!String(error).includes('attempts to lock')) throw error;
        }
      }
    },
    close: async () => redis.disconnect(),
  };
};
