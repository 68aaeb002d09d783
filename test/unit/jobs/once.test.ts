import { describe, expect, onTestFinished, test } from 'vitest';
import { Machines } from './machines.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function machines(start: string, ...flags: string[]): Machines {
  const them = new Machines(start, ...flags);
  onTestFinished(() => them.close());
  return them;
}

const nightly = (start = '2027-01-01T03:00:00Z', ...flags: string[]) =>
  machines(start, '--once-per', '0 3 * * *', '--tz', 'UTC', ...flags);
const FIRST = '2027-01-01T03:00:00.000Z';
const SECOND = '2027-01-02T03:00:00.000Z';

describe('a crontab on three machines', () => {
  test('runs the command once for each tick, also the first time ever', async () => {
    const them = nightly();
    for (let night = 1; night <= 3; night += 1) {
      await them.until(`2027-01-0${night}T03:00:00Z`);
      expect(
        await Promise.all([them.begin(), them.begin(), them.begin(), them.clock.advance(5_000)]),
      ).toEqual([0, 0, 0, undefined]);
    }
    expect(them.ran).toEqual([FIRST, SECOND, '2027-01-03T03:00:00.000Z']);
  });

  test('runs it once with clocks minutes apart, each called when its own clock says so', async () => {
    const them = nightly('2027-01-01T02:57:00Z');
    for (const night of [1, 2]) {
      await them.until(`2027-01-0${night}T02:57:00Z`);
      expect(await them.call({ aheadMs: 3 * MINUTE })).toBe(0);
      await them.until(`2027-01-0${night}T03:00:00Z`);
      expect(await them.call()).toBe(0);
      await them.until(`2027-01-0${night}T03:02:00Z`);
      expect(await them.call({ aheadMs: -2 * MINUTE })).toBe(0);
    }
    expect(them.ran).toEqual([FIRST, SECOND]);
  });

  test('has those wait that come while it runs, and then find it done', async () => {
    const them = nightly();
    const first = them.begin({ tookMs: HOUR });
    const second = them.begin();
    await them.clock.advance(59 * MINUTE);
    expect(them.ran).toEqual([FIRST]);
    await them.clock.advance(2 * MINUTE);
    expect([await first, await second]).toEqual([0, 0]);
    expect(them.ran).toEqual([FIRST]);
  });

  test('has the next one run it when a machine dies in the middle', async () => {
    const them = nightly();
    void them.begin({ dies: true });
    const second = them.begin();
    const third = them.begin();
    await them.clock.advance(MINUTE);
    expect([await second, await third]).toEqual([0, 0]);
    expect(them.ran).toEqual([FIRST, FIRST]);
  });

  test('does not run it again when a machine dies in the middle, with --at-most-once', async () => {
    const them = nightly('2027-01-01T02:00:00Z', '--at-most-once');
    await them.call(); // begins to remember
    await them.until(FIRST);
    void them.begin({ dies: true });
    const second = them.begin();
    await them.clock.advance(MINUTE);
    expect(await second).toBe(0);
    expect(them.ran).toEqual([FIRST]);
    expect((await them.remembered())?.last).toMatchObject({ tick: Date.parse(FIRST), outcome: 'started' });
  });
});

describe('a command that fails', () => {
  test('is tried by each that was called for the tick, and its code passes through', async () => {
    const them = nightly();
    expect([
      await them.call({ code: 3 }),
      await them.call({ code: 4 }),
      await them.call(),
      await them.call(),
    ]).toEqual([3, 4, 0, 0]);
    expect(them.ran).toEqual([FIRST, FIRST, FIRST]);
  });

  test('is done with --at-most-once', async () => {
    const them = nightly('2027-01-01T02:00:00Z', '--at-most-once');
    await them.call();
    await them.until(FIRST);
    expect([await them.call({ code: 3 }), await them.call()]).toEqual([3, 0]);
    expect(them.ran).toEqual([FIRST]);
  });
});

describe('a call between two ticks', () => {
  test('by hand, for the first time ever, runs at once, for the last tick that has come', async () => {
    const them = nightly('2027-01-01T14:00:00Z');
    expect(await them.call()).toBe(0);
    expect(await them.call()).toBe(0);
    expect(them.ran).toEqual([FIRST]);
  });

  test('runs the last of the ticks for which nobody came, once', async () => {
    const them = nightly();
    await them.call();
    await them.until('2027-01-05T09:00:00Z');
    await them.call();
    await them.call();
    expect(them.ran).toEqual([FIRST, '2027-01-05T03:00:00.000Z']);
  });
});

test('with --at-most-once and nothing remembered the tick is dropped, and the next one is run', async () => {
  const them = nightly(FIRST, '--at-most-once');
  expect([await them.call(), await them.call()]).toEqual([0, 0]);
  expect(them.ran).toEqual([]);
  await them.until(SECOND);
  await them.call();
  await them.call();
  expect(them.ran).toEqual([SECOND]);
});

test('ticks that come during a run are dropped, also for those who waited since then', async () => {
  const them = nightly();
  void them.begin({ tookMs: 25 * HOUR });
  await them.until(SECOND);
  const waiting = them.begin();
  await them.clock.advance(2 * HOUR);
  expect(await waiting).toBe(0);
  expect(them.ran).toEqual([FIRST]);
  await them.until('2027-01-03T03:00:00Z');
  await them.call();
  expect(them.ran).toEqual([FIRST, '2027-01-03T03:00:00.000Z']);
});

test('a clock that is set back does not run a tick twice', async () => {
  const them = nightly();
  await them.call({ aheadMs: 2 * MINUTE });
  await them.call({ aheadMs: -10 * HOUR });
  await them.call();
  expect(them.ran).toEqual([FIRST]);
});

describe('on the days of the change', () => {
  const berlin = (start: string) => machines(start, '--once-per', '30 2 * * *', '--tz', 'Europe/Berlin');

  test('a local time that is skipped is run once, by a cron that comes right after the change', async () => {
    const them = berlin('2027-03-27T01:30:00Z');
    await them.call();
    await them.until('2027-03-28T01:00:01Z');
    await them.call();
    await them.until('2027-03-28T01:30:00Z');
    await them.call();
    expect(them.ran).toEqual(['2027-03-27T01:30:00.000Z', '2027-03-28T01:00:00.000Z']);
  });

  test('a local time that comes twice is run once, by a cron that comes both times', async () => {
    const them = berlin('2027-10-31T00:30:00Z');
    await them.call();
    await them.until('2027-10-31T01:30:00Z');
    await them.call();
    expect(them.ran).toEqual(['2027-10-31T00:30:00.000Z']);
  });
});

describe('a duration', () => {
  const daily = () => machines('2027-01-01T12:00:00Z', '--once-per', '1d');

  test('runs at once, and again when it has passed since the start of the last run', async () => {
    const them = daily();
    const first = them.begin({ tookMs: HOUR });
    await them.clock.advance(2 * HOUR);
    await first;
    await them.until('2027-01-02T11:59:00Z');
    await them.call();
    expect(them.ran).toHaveLength(1);
    await them.until('2027-01-02T12:00:01Z');
    await them.call();
    expect(them.ran).toHaveLength(2);
  });

  test('whose first run ever fails is due again at once', async () => {
    const them = daily();
    expect([await them.call({ code: 1 }), await them.call(), await them.call()]).toEqual([1, 0, 0]);
    expect(them.ran).toHaveLength(2);
  });
});

test('who ran it, when, how long and how it ended stays with the lock', async () => {
  const them = nightly();
  const call = them.begin({ tookMs: 1_500, code: 7 });
  await them.clock.advance(3_000);
  await call;
  expect(await them.remembered()).toMatchObject({
    done: Date.parse(FIRST) - 1,
    last: {
      tick: Date.parse(FIRST),
      by: expect.stringMatching(new RegExp(`^cron@\\S+/${process.pid}$`)),
      fence: expect.stringMatching(/^\d+$/),
      tookMs: 1_500,
      outcome: 'failed',
      exitCode: 7,
    },
  });
});
