import { load } from '../load.ts';
import type { Open } from '../peer.ts';
import { unlessAborted } from '../unless-aborted.ts';

/** What is used of pg. */
interface PoolClient {
  query(sql: string, values: readonly string[]): Promise<unknown>;
  release(error?: Error): void;
}
interface Pool {
  on(event: 'error', listener: () => void): void;
  connect(): Promise<PoolClient>;
  end(): Promise<void>;
}
type PgModule = { default: { Pool: new (options: { connectionString: string; max: number }) => Pool } };

/** Session-level advisory locks: the server queues anybody who waits, and each wait takes a connection. */
export const open: Open = async ([url = ''], { waits }) => {
  const { default: pg } = await load<PgModule>('pg');
  const pool = new pg.Pool({ connectionString: url, max: waits });
  pool.on('error', () => {});
  const waiting = new Set<PoolClient>();
  return {
    acquire: async (name, { signal }) => {
      const client = await pool.connect();
      waiting.add(client);
      const giveUp = () => {
        if (waiting.delete(client)) client.release(new Error('given up'));
      };
      await unlessAborted(
        client.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [name]),
        signal,
        giveUp,
      );
      waiting.delete(client);
      return {
        release: async () => {
          await client.query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [name]);
          client.release();
        },
      };
    },
    close: async () => {
      for (const client of waiting) client.release(new Error('closed'));
      waiting.clear();
      await pool.end();
    },
  };
};
