import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { aheadMs } from '../../../src/jobs/ahead.ts';
import { parseTicks } from '../../../src/jobs/ticks.ts';
import { ManualClock, TestBroker } from '../../../src/testing/index.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A job of every minute on a broker in memory, and what its lock remembers to begin with. */
async function job(remembered: unknown, { listens = true, task = () => {} } = {}) {
  const clock = new ManualClock(Date.parse('2027-01-01T00:00:00Z'));
  const broker = new TestBroker({ clock });
  const told: string[] = [];
  const tries: number[] = [];
  const log = (word: string) => (_: object, message: string) => {
    if (message.includes('tries again')) tries.push(clock.now().mono / 1_000);
    told.push(word);
  };
  const logger = { debug() {}, info() {}, warn: log('warn logged'), error: log('error logged') };
  const baton = broker.connect({ logger });
  const memory = baton.lock('jobs', { state: z.unknown() });
  const remember = async (state: unknown) => (await memory.acquire()).release({ state });
  if (remembered !== undefined) await remember(remembered);
  const ran: number[] = [];
  const run = ({ tick }: { tick: Date }) => {
    ran.push(tick.getUTCMinutes());
    task();
  };
  const schedule = baton.schedule('jobs', '* * * * *', run, { timezone: 'UTC' });
  if (listens) {
    schedule.on('error', (error) => told.push(`error ${(error as { code?: string }).code}`));
    schedule.on('ahead', ({ doneUpTo }) => told.push(`ahead ${doneUpTo.toISOString().slice(0, 10)}`));
  }
  onTestFinished(async () => {
    const closed = baton.close({ drainMs: 0 });
    await clock.advance(3_000);
    await closed;
  });
  return { clock, broker, told, tries, ran, remember, schedule };
}

test('a schedule that cannot use its lock says so once, tries again after 1 s to 5 min, and works when it can', async () => {
  const { clock, told, tries, ran, remember } = await job('something else');
  await clock.advance(20 * MINUTE);
  expect(tries.map(Math.round)).toEqual([0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1111]);
  expect(told.filter((word) => word.startsWith('error '))).toEqual([
    'error logged',
    'error state',
    ...Array(11).fill('error logged'),
  ]);
  await remember({ v: 1, done: clock.now().wall - MINUTE });
  await clock.advance(6 * MINUTE);
  expect(ran.at(-1)).toBe(26);
  told.length = 0;
  await remember('something else again');
  await clock.advance(2 * MINUTE);
  expect(told.filter((word) => word === 'error state')).toEqual(['error state']);
});

test('a run that cannot be recorded is tried again at a growing distance, not each second', async () => {
  const { clock, broker, told, ran } = await job(undefined);
  await clock.advance(1_000);
  broker.alarm(true);
  await clock.advance(11 * MINUTE);
  expect(ran.length).toBeLessThan(15); // each second, with 5 s for the save: 110
  expect(told.filter((word) => word.startsWith('error b'))).toEqual(['error broker-unreachable']);
  broker.alarm(false);
  await clock.advance(6 * MINUTE);
  expect(ran.at(-1)).toBe(17);
});

test.each([
  ['something else', /^schedule "jobs" cannot work, and tries again: the state of lock/],
  [{ v: 1, done: Date.parse('2028-02-05') }, /^schedule "jobs" is recorded as done 9600 h ahead/],
])(
  'trouble that nobody listens to is logged, and a warning of the process, once',
  async (remembered, says) => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => void warnings.push(warning);
    process.on('warning', onWarning);
    onTestFinished(() => void process.off('warning', onWarning));
    const { clock, told } = await job(remembered, { listens: false });
    await clock.advance(10 * MINUTE);
    expect(told.length).toBeGreaterThan(0);
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringMatching(says)]);
  },
);

test('a job that was done far ahead of the clock says so once, and runs when its record is mended', async () => {
  const { clock, told, ran, remember } = await job({ v: 1, done: Date.parse('2028-02-05') });
  await clock.advance(30 * MINUTE);
  expect([told, ran]).toEqual([['warn logged', 'ahead 2028-02-05'], []]);
  await remember({ v: 1, done: Math.floor(clock.now().wall) });
  await clock.advance(2 * MINUTE);
  expect(ran).toEqual([31, 32]);
  await remember({ v: 1, done: 8.7e15 }); // later than any date
  await clock.advance(2 * MINUTE);
  expect(told).toContain('error state');
});

test.each([
  ['* * * * *', HOUR, undefined],
  ['* * * * *', HOUR + 1, HOUR + 1],
  ['0 3 * * *', 2 * DAY, undefined],
  ['0 3 * * *', 2 * DAY + 1, 2 * DAY + 1],
  ['10m', HOUR, undefined],
  ['10m', HOUR + 1, HOUR + 1],
  ['1w', 14 * DAY, undefined],
  ['1w', 14 * DAY + 1, 14 * DAY + 1],
  ['@daily', -400 * DAY, undefined],
])('a record of %s that is %d ms ahead: %s', (when, ms, expected) => {
  const now = Date.parse('2027-01-01T12:00:00Z');
  expect(aheadMs(parseTicks(when, when.includes('*') ? 'UTC' : undefined), now + ms, now)).toBe(expected);
});
