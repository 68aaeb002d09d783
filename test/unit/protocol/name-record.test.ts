import { describe, expect, test } from 'vitest';
import {
  hasJustReleased,
  type NameRecord,
  NEW_RECORD,
  type RecordEvent,
  recordStep,
} from '../../../src/protocol/name-record.ts';

const feed = (record: NameRecord, event: RecordEvent, nowMono = 1_000) =>
  recordStep(record, event, { now: { mono: nowMono, wall: 0 }, healAfterMs: 30_000, jitter: () => 0.5 })[0];

test('a release is remembered for 250 ms, in which nothing ready does not mean that somebody else holds the lock', () => {
  expect(hasJustReleased(NEW_RECORD, 1_000)).toBe(false);
  const record = feed(NEW_RECORD, { type: 'released' });
  expect([1_000, 1_249, 1_250].map((mono) => hasJustReleased(record, mono))).toEqual([true, true, false]);
});

test('the highest fence is kept, whatever is seen afterwards', () => {
  let record = NEW_RECORD;
  for (const fence of [5n, 9n, 3n, 9n]) record = feed(record, { type: 'fence-seen', fence });
  expect(record.highestSeen).toBe(9n);
});

describe('the end of a queue is heard of by who has been in its line', () => {
  const known = feed(NEW_RECORD, { type: 'queue-known', known: true });
  const unsure = feed(known, { type: 'queue-known', known: false });
  const nothing = { ready: 0, consumers: 0 };

  test('who has not been in line hears nothing of it', () => {
    const { wasInLine } = NEW_RECORD;
    expect(feed(NEW_RECORD, { type: 'looked', depth: 'absent', wasInLine }).queueEndedAt).toBeUndefined();
    expect(feed(NEW_RECORD, { type: 'declared', depth: nothing, wasInLine }).queueEndedAt).toBeUndefined();
  });

  test.each<[string, RecordEvent]>([
    ['a look finds no queue', { type: 'looked', depth: 'absent', wasInLine: true }],
    ['a declaration finds nothing and nobody', { type: 'declared', depth: nothing, wasInLine: true }],
    ['the broker says so', { type: 'queue-ended' }],
  ])('%s', (_how, event) => {
    expect(unsure.wasInLine).toBe(true);
    expect(feed(unsure, event, 1_500).queueEndedAt).toBe(1_500);
  });

  test.each<[string, RecordEvent]>([
    ['a look shows a queue', { type: 'looked', depth: nothing, wasInLine: true }],
    [
      'a declaration shows a holder',
      { type: 'declared', depth: { ready: 0, consumers: 1 }, wasInLine: true },
    ],
    ['a declaration shows a token', { type: 'declared', depth: { ready: 1, consumers: 0 }, wasInLine: true }],
  ])('not when %s', (_how, event) => {
    expect(feed(unsure, event).queueEndedAt).toBeUndefined();
  });
});
