import { setTimeout as pause } from 'node:timers/promises';
import { load } from '../load.ts';
import type { Open } from '../peer.ts';

/** What is used of memjs. */
interface Memjs {
  add(key: string, value: string, options: { expires: number }): Promise<boolean>;
  delete(key: string): Promise<boolean>;
  close(): void;
}
type MemjsModule = { Client: { create(servers: string): Memjs } };

const EXPIRES_S = 10;
const POLL_MS = 50;
const TUNED_POLL_MS = 5;

/** The recipe of memcached's own wiki: anybody who can add the key has the lock, and deletes it. */
export const open: Open = async ([address = ''], { tuned }) => {
  const { Client } = await load<MemjsModule>('memjs');
  const client = Client.create(address);
  return {
    acquire: async (name, { signal }) => {
      while (!(await client.add(name, '1', { expires: EXPIRES_S }))) {
        await pause(tuned ? TUNED_POLL_MS : POLL_MS, undefined, { signal });
      }
      return {
        release: async () => {
          await client.delete(name);
        },
      };
    },
    close: async () => client.close(),
  };
};
