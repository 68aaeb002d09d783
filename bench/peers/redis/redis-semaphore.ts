import { load } from '../load.ts';
import type { Open } from '../peer.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { connectRedis } from './ioredis.ts';

/** What is used of redis-semaphore. */
interface Mutex {
  acquire(): Promise<void>;
  release(): Promise<void>;
}
interface Settings {
  readonly acquireTimeout: number;
  readonly retryInterval?: number;
}
type SemaphoreModule = { Mutex: new (client: object, key: string, settings: Settings) => Mutex };

/** Polls every 10 ms by default. Long enough for every wait here. */
const DEFAULTS = { acquireTimeout: 600_000 };
const TUNED = { ...DEFAULTS, retryInterval: 2 };

export const open: Open = async ([url], { tuned }) => {
  const { Mutex } = await load<SemaphoreModule>('redis-semaphore');
  const redis = await connectRedis(url);
  return {
    acquire: async (name, { signal }) => {
      const mutex = new Mutex(redis, name, tuned ? TUNED : DEFAULTS);
      const acquired = mutex.acquire();
      // It cannot be told to stop waiting.
      await unlessAborted(acquired, signal, () => {
        acquired.then(() => mutex.release()).catch(() => {});
      });
      return { release: () => mutex.release() };
    },
    close: async () => redis.disconnect(),
  };
};
