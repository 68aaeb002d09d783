import { setTimeout as pause } from 'node:timers/promises';
import { load } from '../load.ts';
import type { Open } from '../peer.ts';

/** What is used of etcd3. */
interface EtcdLock {
  acquire(): Promise<unknown>;
  release(): Promise<void>;
}
export interface Lease {
  /** The same lease each time. */
  grant(): Promise<string>;
  revoke(): Promise<void>;
}
export interface Etcd {
  lock(name: string): EtcdLock;
  lease(ttlS: number): Lease;
  close(): void;
}
export interface Etcd3Module {
  readonly Etcd3: new (options: { hosts: readonly string[] }) => Etcd;
  readonly EtcdLockFailedError: new () => Error;
}

const POLL_MS = 50;
const TUNED_POLL_MS = 5;

/** Its lock does not wait: who finds it taken asks again. */
export const open: Open = async (urls, { tuned }) => {
  const { Etcd3, EtcdLockFailedError } = await load<Etcd3Module>('etcd3');
  const client = new Etcd3({ hosts: urls });
  return {
    acquire: async (name, { signal }) => {
      for (;;) {
        const lock = client.lock(name);
        try {
          await lock.acquire();
          return { release: () => lock.release() };
        } catch (error) {
          if (!(error instanceof EtcdLockFailedError)) throw error;
        }
        await pause(tuned ? TUNED_POLL_MS : POLL_MS, undefined, { signal });
      }
    },
    close: async () => client.close(),
  };
};
