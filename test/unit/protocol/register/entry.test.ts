import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BASE_MAX, INT64_MAX } from '../../../../src/protocol/fence.ts';
import { decodeEntry, type Entry, encodeEntry } from '../../../../src/protocol/register/entry.ts';

const ORIGIN = { name: 'jobs', by: 'svc@host/1', at: 1_800_000_000_000 };
const ENTRY: Entry = { id: '0190a1b2-0000-7000-8000-00000000000a', fence: 7n, seq: 2, state: { cursor: 1 } };
const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const wire = (changes: object): Uint8Array =>
  json({ v: 1, kind: 'state', ...ENTRY, fence: '7', ...ORIGIN, ...changes });
const kindOf = (body: Uint8Array): string => decodeEntry(body, 'jobs').kind;

const entry: fc.Arbitrary<Entry> = fc.record({
  id: fc.uuid(),
  fence: fc.bigInt({ min: 0n, max: BASE_MAX }),
  seq: fc.nat(),
  state: fc.oneof(fc.jsonValue(), fc.constant(undefined)).map((value) => {
    return value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown);
  }),
});

describe('state on the wire', () => {
  test('whatever entry is encoded is decoded again, and nothing is not null', () => {
    fc.assert(
      fc.property(entry, (original) => {
        expect(decodeEntry(encodeEntry(original, ORIGIN), 'jobs')).toEqual({
          kind: 'entry',
          entry: original,
        });
      }),
    );
    const nothing = encodeEntry({ ...ENTRY, state: undefined }, ORIGIN);
    expect(JSON.parse(Buffer.from(nothing).toString())).not.toHaveProperty('state');
    const sNull = decodeEntry(encodeEntry({ ...ENTRY, state: null }, ORIGIN), 'jobs');
    expect(sNull).toMatchObject({ entry: { state: null } });
  });

  test('is UTF-8 JSON with version, kind and the fence as decimal digits in a string', () => {
    const body = encodeEntry({ ...ENTRY, fence: 2n ** 62n + 1n }, ORIGIN);
    expect(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))).toEqual({
      v: 1,
      kind: 'state',
      id: ENTRY.id,
      name: 'jobs',
      fence: '4611686018427387905',
      seq: 2,
      state: { cursor: 1 },
      by: 'svc@host/1',
      at: 1_800_000_000_000,
    });
  });

  test.each([
    ['no JSON', Buffer.from([0xff, 0xfe])],
    ['no version', json({ kind: 'state' })],
    ['another kind', wire({ kind: 'token' })],
    ['another lock', wire({ name: 'other' })],
    ['a fence that is a number', wire({ fence: 7 })],
    ['a fence below zero', wire({ fence: '-1' })],
    ['a fence with a leading zero', wire({ fence: '07' })],
    ['a fence above the largest base', wire({ fence: String(BASE_MAX + 1n) })],
    ['the last fence of int64', wire({ fence: String(INT64_MAX) })],
    ['a fence beyond int64', wire({ fence: String(INT64_MAX + 1n) })],
    ['a seq below zero', wire({ seq: -1 })],
    ['a seq that is no integer', wire({ seq: 1.5 })],
    ['an id that is no uuid', wire({ id: 'x' })],
  ])('%s is a foreign message', (_what, body) => {
    expect(kindOf(body)).toBe('foreign');
  });

  test('a higher version is newer, whatever else it holds, and unknown fields of this one are ignored', () => {
    expect(kindOf(json({ v: 2, anything: true }))).toBe('newer');
    expect(kindOf(wire({ extra: 1 }))).toBe('entry');
  });
});
