import { load } from '../load.ts';
import type { Open } from '../peer.ts';
import { unlessAborted } from '../unless-aborted.ts';

/** What is used of mysql2. */
interface PoolConnection {
  query(sql: string, values: readonly unknown[]): Promise<unknown>;
  release(): void;
  destroy(): void;
}
interface Pool {
  getConnection(): Promise<PoolConnection>;
  end(): Promise<void>;
}
type MysqlModule = { createPool(options: { uri: string; connectionLimit: number }): Pool };

const WAIT_S = 86_400;

/** GET_LOCK: the server queues anybody who waits, and each wait takes a connection. */
export const open: Open = async ([url = ''], { waits }) => {
  const { createPool } = await load<MysqlModule>('mysql2/promise');
  const pool = createPool({ uri: url, connectionLimit: waits });
  const waiting = new Set<PoolConnection>();
  return {
    acquire: async (name, { signal }) => {
      const connection = await pool.getConnection();
      waiting.add(connection);
      const giveUp = () => {
        if (waiting.delete(connection)) connection.destroy();
      };
      await unlessAborted(connection.query('SELECT GET_LOCK(?, ?)', [name, WAIT_S]), signal, giveUp);
      waiting.delete(connection);
      return {
        release: async () => {
          await connection.query('SELECT RELEASE_LOCK(?)', [name]);
          connection.release();
        },
      };
    },
    close: async () => {
      for (const connection of waiting) connection.destroy();
      waiting.clear();
      await pool.end();
    },
  };
};
