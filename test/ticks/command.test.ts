import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { batonResult, type Result } from '../cli/support/baton.ts';
import { clockAhead } from './fake-clock.ts';
import { counted, outputFile, readRuns } from './fleet.ts';

const EVERY_MS = 10_000;
const CALLS = 12;

test('a crontab on three machines with clocks minutes apart runs its command once for each tick', async () => {
  const file = await outputFile();
  const ns = `ticks-${randomUUID().slice(0, 8)}`;
  const command = `echo "$BATON_TICK $PPID" >> ${file}; sleep 1`;
  const once = ['--once-per', '*/10 * * * * *', '--tz', 'UTC', '--', 'sh', '-c', command];
  const args = ['run', 'nightly', '--namespace', ns, ...once];

  /** What cron does: calls when the machine's own clock says so, and does not wait for the end. */
  async function cron(aheadSeconds: number): Promise<Result[]> {
    const now = () => Date.now() + aheadSeconds * 1_000;
    const calls: Promise<Result>[] = [];
    for (let tick = Math.ceil(now() / EVERY_MS); calls.length < CALLS; tick += 1) {
      await pause(Math.max(0, tick * EVERY_MS - now()));
      calls.push(batonResult(args, { env: clockAhead(aheadSeconds) }));
    }
    return Promise.all(calls);
  }

  const results = (await Promise.all([cron(-60), cron(0), cron(60)])).flat();
  expect(results).toEqual(results.map(() => ({ code: 0, stdout: '', stderr: '' })));
  const counts = counted(await readRuns(file));
  expect([...counts].filter(([, count]) => count > 1).map(([tick]) => new Date(tick))).toEqual([]);
  // A call that took longer than its interval to start stands for a later tick.
  expect(counts.size).toBeGreaterThan(CALLS / 2);
});
