import { describe, expect, test } from 'vitest';
import { InvalidOptionsError } from '../../../src/errors.ts';
import { parseTicks } from '../../../src/jobs/ticks.ts';

const at = (iso: string): number => Date.parse(iso);
const iso = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString();

function following(expression: string, timezone: string | undefined, from: string, count: number): string[] {
  const ticks = parseTicks(expression, timezone);
  const found: string[] = [];
  for (let last = at(from); found.length < count; ) {
    last = ticks.next(last) as number;
    found.push(iso(last) as string);
  }
  return found;
}

describe('a cron expression', () => {
  const nightly = parseTicks('0 3 * * *', 'UTC');

  test('has its latest tick at or before an instant, to the millisecond', () => {
    expect(iso(nightly.latest(at('2027-01-02T03:00:00.000Z'), undefined))).toBe('2027-01-02T03:00:00.000Z');
    expect(iso(nightly.latest(at('2027-01-02T02:59:59.999Z'), undefined))).toBe('2027-01-01T03:00:00.000Z');
  });

  test('has its next tick strictly after an instant', () => {
    expect(iso(nightly.next(at('2027-01-02T03:00:00.000Z')))).toBe('2027-01-03T03:00:00.000Z');
    expect(iso(nightly.next(at('2027-01-02T02:59:59.999Z')))).toBe('2027-01-02T03:00:00.000Z');
  });

  test('is read in its time zone', () => {
    expect(following('0 3 * * *', 'America/New_York', '2027-01-01T00:00:00Z', 1)).toEqual([
      '2027-01-01T08:00:00.000Z',
    ]);
  });

  test('may have seconds', () => {
    expect(following('*/20 * * * * *', 'UTC', '2027-01-01T00:00:01Z', 3)).toEqual([
      '2027-01-01T00:00:20.000Z',
      '2027-01-01T00:00:40.000Z',
      '2027-01-01T00:01:00.000Z',
    ]);
  });

  test('whose local time is skipped in spring is due once, at the moment of the change', () => {
    expect(following('30 2 * * *', 'Europe/Berlin', '2027-03-27T12:00:00Z', 2)).toEqual([
      '2027-03-28T01:00:00.000Z',
      '2027-03-29T00:30:00.000Z',
    ]);
  });

  test('whose local time comes twice in autumn is due once, the first time', () => {
    expect(following('30 2 * * *', 'Europe/Berlin', '2027-10-30T12:00:00Z', 2)).toEqual([
      '2027-10-31T00:30:00.000Z',
      '2027-11-01T01:30:00.000Z',
    ]);
  });

  test('that is due every hour goes on in real time through both changes', () => {
    expect(following('0 * * * *', 'Europe/Berlin', '2027-03-28T00:00:00Z', 3)).toEqual([
      '2027-03-28T01:00:00.000Z',
      '2027-03-28T02:00:00.000Z',
      '2027-03-28T03:00:00.000Z',
    ]);
    expect(following('0 * * * *', 'Europe/Berlin', '2027-10-31T00:00:00Z', 3)).toEqual([
      '2027-10-31T01:00:00.000Z',
      '2027-10-31T02:00:00.000Z',
      '2027-10-31T03:00:00.000Z',
    ]);
  });

  test.each([
    ['61 * * * *', undefined, /minute: 61/],
    ['0 3 * *', undefined, /expects? .*5|parts/i],
    ['0 0 30 2 *', undefined, /never due/],
    ['0 3 * * *', 'Mars/Phobos', /^timezone must be the IANA name .* got "Mars\/Phobos"$/],
    ['now and then', undefined, /got "now and then"/],
    ['', undefined, /got ""/],
  ])('%j in %s is refused with the reason', (expression, timezone, reason) => {
    const parsing = () => parseTicks(expression, timezone);
    expect(parsing).toThrow(InvalidOptionsError);
    expect(parsing).toThrow(reason);
  });
});

describe('a duration', () => {
  const day = parseTicks('1d');
  const noon = at('2027-01-01T12:00:00Z');

  test('is due at once when there was no run', () => {
    expect(day.latest(noon, undefined)).toBe(noon);
  });

  test('is due again when it has passed since the start of the last run, and not a millisecond earlier', () => {
    expect(day.latest(noon + 86_399_999, noon)).toBe(noon);
    expect(day.latest(noon + 86_400_000, noon)).toBe(noon + 86_400_000);
    expect(day.next(noon)).toBe(noon + 86_400_000);
  });

  test.each([
    ['30s', 30_000],
    ['90m', 5_400_000],
    ['1.5h', 5_400_000],
    ['12h', 43_200_000],
    ['1w', 604_800_000],
  ])('%s', (expression, ms) => {
    expect(parseTicks(expression).next(0)).toBe(ms);
  });

  test.each(['0', '0d', '999ms', '-1d', '1y', 'd'])('%s is refused', (expression) => {
    expect(() => parseTicks(expression)).toThrow(InvalidOptionsError);
  });

  test('has no time zone', () => {
    expect(() => parseTicks('1d', 'UTC')).toThrow(/timezone is for cron expressions/);
  });
});
