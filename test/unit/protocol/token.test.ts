import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BASE_MAX, FENCES_PER_RETURN } from '../../../src/protocol/fence.ts';
import { decodeMessage, encodeProbe, encodeToken, type Token } from '../../../src/protocol/token.ts';

const ID = '0190a1b2-0000-7000-8000-00000000000a';
const WIRE = {
  v: 1,
  kind: 'token',
  id: ID,
  name: 'jobs',
  base: '1000',
  by: 'svc@host/1',
  at: 1_800_000_000_000,
};
const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const wire = (changes: object): Uint8Array => json({ ...WIRE, ...changes });
const kindOf = (body: Uint8Array, returns = 0): string => decodeMessage(body, returns, 'jobs').kind;

const token: fc.Arbitrary<Token> = fc.record({
  id: fc.uuid(),
  name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 255 }),
  base: fc.bigInt({ min: 0n, max: BASE_MAX - 2n ** 40n }),
  fencesPerReturn: fc.integer({ min: 1, max: FENCES_PER_RETURN }),
  by: fc.string({ unit: 'binary', maxLength: 50 }),
  at: fc.integer({ min: 0, max: 8.64e15 }),
});

describe('token on the wire', () => {
  test('whatever token is encoded is decoded again, with its count and fence', () => {
    fc.assert(
      fc.property(token, fc.nat(1_000_000_000), (original, returns) => {
        const message = decodeMessage(encodeToken(original), returns, original.name);
        expect(message).toEqual({
          kind: 'token',
          token: original,
          returns,
          fence: original.base + BigInt(returns) * BigInt(original.fencesPerReturn),
        });
      }),
    );
  });

  test('is UTF-8 JSON with version, kind and the base as decimal digits in a string, and nothing else', () => {
    const body = encodeToken({
      id: ID,
      name: 'jöbs',
      base: 2n ** 62n + 1n,
      fencesPerReturn: 7,
      by: 'svc',
      at: 5,
    });
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    expect(JSON.parse(text)).toEqual({
      v: 1,
      kind: 'token',
      id: ID,
      name: 'jöbs',
      base: '4611686018427387905',
      stride: 7,
      by: 'svc',
      at: 5,
    });
  });

  test('unknown fields of the same version are ignored, so the format can grow', () => {
    expect(kindOf(wire({ extra: { nested: [1] } }))).toBe('token');
  });

  test('a base is taken up to its limit', () => {
    expect(kindOf(wire({ base: String(BASE_MAX) }))).toBe('token');
    expect(kindOf(wire({ base: '0' }))).toBe('token');
    expect(kindOf(wire({ base: String(BASE_MAX + 1n) }))).toBe('foreign');
  });

  test('a token whose fence is above the largest base is a foreign message: none could be made above it', () => {
    expect(kindOf(wire({ base: String(BASE_MAX - 7n) }), 7)).toBe('token');
    expect(decodeMessage(wire({ base: String(BASE_MAX - 7n) }), 8, 'jobs')).toMatchObject({
      kind: 'foreign',
      why: expect.stringContaining('largest base'),
    });
  });
});

describe('a probe', () => {
  test('is recognised as such and is never a token', () => {
    const body = encodeProbe({ id: ID, name: 'jobs', by: 'svc', at: 5 });
    expect(decodeMessage(body, 0, 'jobs')).toEqual({ kind: 'probe' });
    expect(JSON.parse(Buffer.from(body).toString())).toEqual({
      v: 1,
      kind: 'probe',
      id: ID,
      name: 'jobs',
      by: 'svc',
      at: 5,
    });
  });

  test('stays a probe whatever its count and whatever else it carries', () => {
    expect(kindOf(wire({ kind: 'probe' }), 100_000)).toBe('probe');
  });
});

describe('a newer version', () => {
  test('is newer whatever its other fields have become, so that it is given back and not taken for a foreign message', () => {
    for (const kind of [7, null, { what: 'token' }, ['token'], undefined]) {
      expect(decodeMessage(wire({ v: 2, kind }), 0, 'jobs')).toEqual({ kind: 'newer', version: 2 });
    }
  });

  test('is not told from a message that begins with a byte order mark: that is a foreign message, as in other languages', () => {
    expect(kindOf(Buffer.from(`\ufeff${JSON.stringify({ ...WIRE, v: 2 })}`))).toBe('foreign');
    expect(kindOf(Buffer.from(`\ufeff${JSON.stringify(WIRE)}`))).toBe('foreign');
  });

  test('is told apart from a foreign message, with its number, whatever it looks like otherwise', () => {
    expect(decodeMessage(wire({ v: 2 }), 3, 'jobs')).toEqual({ kind: 'newer', version: 2 });
    expect(decodeMessage(json({ v: 7 }), 3, 'jobs')).toEqual({ kind: 'newer', version: 7 });
    expect(decodeMessage(json({ v: 2, kind: 'probe' }), 0, 'jobs')).toEqual({ kind: 'newer', version: 2 });
    expect(decodeMessage(json({ v: 2, kind: 'baton', name: 'else' }), 0, 'jobs')).toEqual({
      kind: 'newer',
      version: 2,
    });
  });

  test.each([0, -1, 1.5, '2', null, true, 1e300])('a version of %j is no version: a foreign message', (v) => {
    expect(kindOf(wire({ v }))).toBe('foreign');
  });
});

describe('a foreign message', () => {
  const without = (field: keyof typeof WIRE) => json({ ...WIRE, [field]: undefined });

  test.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array()],
    ['bytes that are not text', Uint8Array.of(0xff, 0xfe, 0x00)],
    [
      'a token with a broken UTF-8 sequence in it',
      Buffer.concat([Buffer.from('{"v":1,"x":"'), Buffer.of(0xc3), Buffer.from('"}')]),
    ],
    [
      'a token whose holder is a broken UTF-8 sequence',
      Buffer.from(JSON.stringify({ ...WIRE, by: '~' })).map((byte) => (byte === 0x7e ? 0xc3 : byte)),
    ],
    ['a token that is cut off', encodeToken({ ...WIRE, base: 1n, fencesPerReturn: 1 }).slice(0, -2)],
    ['a token followed by something', Buffer.concat([wire({}), Buffer.from('x')])],
    ['text', Buffer.from('hello')],
    ['a number', json(1)],
    ['null', json(null)],
    ['an array with a token in it', json([WIRE])],
    ['an empty object', json({})],
    ['a very deep array', Buffer.from('['.repeat(50_000) + ']'.repeat(50_000))],
    ['UTF-16', Buffer.from(JSON.stringify(WIRE), 'utf16le')],
  ])('is %s', (_what, body) => {
    expect(decodeMessage(body, 0, 'jobs').kind).toBe('foreign');
  });

  test.each(['v', 'kind', 'id', 'name', 'base', 'by', 'at'] as const)('is a token without %s', (field) => {
    expect(kindOf(without(field))).toBe('foreign');
  });

  test.each<[string, object]>([
    ['a negative base', { base: '-1' }],
    ['a base of minus zero', { base: '-0' }],
    ['a base beyond int64', { base: '9223372036854775808' }],
    ['a base of twenty digits', { base: '10000000000000000000' }],
    ['a base that is a number', { base: 1000 }],
    ['a base with leading zeros', { base: '0001000' }],
    ['a base with a sign', { base: '+1000' }],
    ['a base in hexadecimal', { base: '0x10' }],
    ['a base with a fraction', { base: '1000.0' }],
    ['a base with an exponent', { base: '1e3' }],
    ['a base with a space', { base: ' 1000' }],
    ['a base with a line break at its end', { base: '1000\n' }],
    ['a base in other digits', { base: '١٠٠٠' }],
    ['an empty base', { base: '' }],
    ['an id that is no uuid', { id: 'seven' }],
    ['a kind that nobody knows', { kind: 'baton' }],
    ['a time that is text', { at: '2027' }],
    ['a holder that is a number', { by: 1 }],
    ['the name of another lock', { name: 'jobs2' }],
    ['a name that differs in case', { name: 'Jobs' }],
  ])('is a token with %s', (_what, changes) => {
    expect(kindOf(wire(changes))).toBe('foreign');
  });

  test('is a token whose time is not finite', () => {
    expect(kindOf(Buffer.from(JSON.stringify(WIRE).replace('1800000000000', '1e999')))).toBe('foreign');
  });

  test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])(
    'is a token with a count of %d',
    (returns) => {
      expect(decodeMessage(wire({}), returns, 'jobs')).toEqual({
        kind: 'foreign',
        why: 'impossible return count',
      });
    },
  );

  test('says why', () => {
    expect(decodeMessage(wire({ name: 'x' }), 0, 'jobs')).toEqual({
      kind: 'foreign',
      why: 'token of another lock',
    });
    expect(decodeMessage(wire({ base: '-1' }), 0, 'jobs')).toEqual({
      kind: 'foreign',
      why: 'malformed token',
    });
  });
});

describe('any bytes at all', () => {
  const mutated = fc
    .tuple(fc.constantFrom(wire({}), wire({ v: 2 }), json({ v: 1, kind: 'probe' })), fc.nat(), fc.nat(255))
    .map(([body, position, byte]) => {
      const bytes = Uint8Array.from(body);
      bytes[position % bytes.length] = byte;
      return bytes;
    });
  const almost = fc.record(
    {
      v: fc.constantFrom(1, 2, '1'),
      kind: fc.constantFrom('token', 'probe', 3),
      id: fc.anything(),
      base: fc.anything(),
    },
    { requiredKeys: [] },
  );
  const bodies = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    mutated,
    fc.json().map((text) => Buffer.from(text)),
    almost.filter((value) => isJson(value)).map(json),
  );

  test('are read without throwing, and as a token only if they are valid JSON of version 1, kind token and this name', () => {
    fc.assert(
      fc.property(bodies, fc.oneof(fc.nat(), fc.double()), (body, returns) => {
        const message = decodeMessage(body, returns, 'jobs');
        expect(['token', 'probe', 'newer', 'foreign']).toContain(message.kind);
        if (message.kind !== 'token') return;
        const read = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
        expect(read).toMatchObject({ v: 1, kind: 'token', name: 'jobs', base: String(message.token.base) });
        expect(message.fence).toBe(message.token.base + BigInt(returns));
        expect(message.fence <= BASE_MAX).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});

function isJson(value: unknown): boolean {
  try {
    JSON.stringify(value);
    return true;
  } catch {
    return false;
  }
}
