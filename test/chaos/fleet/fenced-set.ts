import pg from 'pg';
import type { PostgresAddress } from '../../support/postgres.ts';

export type Outcome = 'accepted' | 'refused';

const PAGE = 300;

const TABLES = `
  CREATE TABLE sets (lock text PRIMARY KEY, fence numeric NOT NULL, elements text[] NOT NULL);
  CREATE TABLE sealed (lock text NOT NULL, elements text[] NOT NULL);
  CREATE TABLE audit (seq bigserial PRIMARY KEY, lock text NOT NULL, fence numeric NOT NULL, element text NOT NULL);`;

/**
 * Reading for an update claims the set for the fence: from then on older fences are refused. Reading without a claim
 * would let an older holder write between this read and the write that is built on it, and lose what it wrote.
 */
const CLAIM = `
  INSERT INTO sets AS it (lock, fence, elements) VALUES ($1, $2, '{}')
  ON CONFLICT (lock) DO UPDATE SET fence = $2 WHERE it.fence <= $2
  RETURNING elements`;

/** The row lock of the update is held until the audit line is written: its numbers are the order of acceptance. */
const WRITE = `
  WITH written AS (
    UPDATE sets SET elements = $3 WHERE lock = $1 AND fence = $2 RETURNING lock
  ), put_away AS (
    INSERT INTO sealed (lock, elements) SELECT lock, $5 FROM written WHERE cardinality($5::text[]) > 0
  )
  INSERT INTO audit (lock, fence, element) SELECT lock, $2, $4 FROM written`;

/** The same set in PostgreSQL, which refuses fences older than the newest that it has seen. */
export class FencedSets {
  readonly #pool: pg.Pool;

  constructor(address: PostgresAddress) {
    this.#pool = new pg.Pool({ ...address, max: 4 });
    this.#pool.on('error', () => {});
  }

  /** Once, before anything else. */
  async createTables(): Promise<void> {
    await this.#pool.query(TABLES);
  }

  /** Rejects when it is unknown whether the element was accepted. */
  async add(lock: string, fence: string, element: string): Promise<Outcome> {
    const claimed = await this.#pool.query<{ elements: string[] }>(CLAIM, [lock, fence]);
    const elements = claimed.rows[0]?.elements;
    if (elements === undefined) return 'refused';
    const full = elements.length >= PAGE;
    const next = full ? [element] : [...elements, element];
    const written = await this.#pool.query(WRITE, [lock, fence, next, element, full ? elements : []]);
    return written.rowCount === 1 ? 'accepted' : 'refused';
  }

  /** The set of a lock and every accepted write, in order of acceptance. */
  async contents(lock: string): Promise<{ elements: string[]; audit: { fence: string; element: string }[] }> {
    const pages = await this.#pool.query<{ elements: string[] }>(
      'SELECT elements FROM sealed WHERE lock = $1 UNION ALL SELECT elements FROM sets WHERE lock = $1',
      [lock],
    );
    const audit = await this.#pool.query<{ fence: string; element: string }>(
      'SELECT fence, element FROM audit WHERE lock = $1 ORDER BY seq',
      [lock],
    );
    return { elements: pages.rows.flatMap((row) => row.elements), audit: audit.rows };
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
