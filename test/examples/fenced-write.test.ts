import pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { Postgres } from '../support/postgres.ts';
import { deleteLocks, startExample, unique } from './start.ts';

let postgres: Postgres;

beforeAll(async () => {
  postgres = await Postgres.start((line) => console.error(line));
});
afterAll(() => postgres?.stop());

async function body(report: string): Promise<string | undefined> {
  const db = new pg.Client({ ...postgres.address });
  await db.connect();
  const { rows } = await db.query('SELECT body FROM reports WHERE id = $1', [report]);
  await db.end();
  return rows[0]?.body;
}

test('a writer that stood still while it lost its lock is refused, and the newer report stays', async () => {
  const report = String(Number.parseInt(unique('').slice(-6), 16));
  onTestFinished(() => deleteLocks([`report:${report}`]));
  const { host, user, database } = postgres.address;
  const env = { PGHOST: host, PGUSER: user, PGDATABASE: database, REPORT: report };
  const late = startExample('fenced-write.ts', { ...env, BODY: 'late', WORK_MS: '1000' });
  const { holds } = await late.next<{ holds: string }>((message) => message.holds !== undefined);
  late.stop();
  await deleteLocks([`report:${report}`]); // as an operator may: the holder will be told when it runs again
  const newer = startExample('fenced-write.ts', { ...env, BODY: 'newer' });
  const written = await newer.next<{ written: boolean; fence: string }>((each) => each.written !== undefined);
  expect(written.written).toBe(true);
  expect(BigInt(written.fence)).toBeGreaterThan(BigInt(holds));
  expect(await newer.exit).toEqual({ code: 0, signal: null });

  late.cont();
  const refused = await late.next<{ written: boolean }>((message) => message.written !== undefined);
  expect(refused.written).toBe(false);
  expect(await late.exit).toEqual({ code: 1, signal: null });
  expect(await body(report)).toBe('newer');
});
