/** One worker of a job that is due every second. Each run writes its tick to the job's own file. */
import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type ScheduleOptions } from '../../src/index.ts';

const { TICKS_URL = '', TICKS_NAMESPACE, TICKS_SEMANTICS, TICKS_FILE = '' } = process.env;
const semantics = TICKS_SEMANTICS as ScheduleOptions['semantics'];

let strike: NodeJS.Signals | undefined;
process.on('message', (message: { readonly signal: NodeJS.Signals }) => {
  strike = message.signal;
});
process.on('disconnect', () => process.exit());

const lease = { heartbeatMs: 5_000, leaseMs: 9_000, verifyEveryMs: 3_000 };
const baton = await connect(TICKS_URL, { namespace: TICKS_NAMESPACE, service: 'worker', ...lease });
const schedule = baton.schedule(
  'job',
  '* * * * * *',
  async ({ tick }) => {
    appendFileSync(TICKS_FILE, `${tick.toISOString()} ${process.pid}\n`);
    const signal = strike;
    strike = undefined;
    if (signal !== undefined) process.kill(process.pid, signal);
    await pause(100);
  },
  { timezone: 'UTC', semantics, catchUp: 'all' },
);
schedule.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
