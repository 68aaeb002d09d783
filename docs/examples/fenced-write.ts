/**
 * A write that PostgreSQL refuses when its writer is no longer the holder, even if the writer does not know that yet.
 *
 *   AMQP_URL=amqp://localhost PGHOST=… REPORT=7 BODY='…' npx tsx docs/examples/fenced-write.ts
 *
 * Ends with 0 when the report was written and with 1 when somebody newer had written it.
 */
import { setTimeout as work } from 'node:timers/promises';
import { connect } from 'batonmq';
import pg from 'pg';

const { AMQP_URL = 'amqp://localhost', REPORT = '7', BODY = 'nothing new', WORK_MS = '100' } = process.env;

const db = new pg.Client(); // PGHOST, PGUSER, PGDATABASE, …
await db.connect();
await db.query(
  `CREATE TABLE IF NOT EXISTS reports (id bigint PRIMARY KEY, body text, fence bigint NOT NULL DEFAULT 0)`,
);
await db.query('INSERT INTO reports (id) VALUES ($1) ON CONFLICT DO NOTHING', [REPORT]);

const baton = await connect(AMQP_URL, { service: 'reports' });
const lease = await baton.lock(`report:${REPORT}`).acquire();
const fence = String(lease.fence); // bigint: as a string, because JSON and many drivers end at 2^53
try {
  // First of all: from here on a late write of an earlier holder is refused, before this one has written anything.
  await db.query('UPDATE reports SET fence = $2 WHERE id = $1 AND fence <= $2', [REPORT, fence]);
  console.log(JSON.stringify({ holds: fence }));
  await work(Number(WORK_MS));
  const write = 'UPDATE reports SET body = $2, fence = $3 WHERE id = $1 AND fence <= $3';
  const { rowCount } = await db.query(write, [REPORT, BODY, fence]);
  console.log(JSON.stringify({ written: rowCount === 1, fence }));
  process.exitCode = rowCount === 1 ? 0 : 1;
} finally {
  await lease.release(); // a no-op if it was lost
  await baton.close();
  await db.end();
}
