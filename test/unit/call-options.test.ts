import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  parseAcquireOptions,
  parseCloseOptions,
  parseConnectOptions,
  parseLockOptions as parseFor,
  parseLockName,
} from '../../src/options.ts';
import { GRANT, IDLE_EXPIRY, ms, problems } from './options-problems.ts';

const parseLockOptions = (options: unknown, connectOptions = {}) =>
  parseFor(options, parseConnectOptions(connectOptions));

describe('options of lock', () => {
  test('an undefined grant is the same as none', () => {
    expect(parseLockOptions({ grant: undefined }).grant).toBeUndefined();
    expect(parseLockOptions(undefined)).toEqual({});
    expect(parseLockOptions({ grant: 'verified' })).toEqual({ grant: 'verified' });
  });

  test('grant and unknown options are refused in one sentence each', () => {
    expect(problems(() => parseLockOptions({ grant: 'x', leaseMs: 5 }))).toEqual([
      `lock: grant ${GRANT}, got "x"`,
      'lock: unknown option leaseMs',
    ]);
  });

  test('an idle expiry is checked as that of connect is, against its leaseMs, and goes with no slots', () => {
    expect(parseLockOptions({ idleExpiryMs: 30_000 })).toEqual({ idleExpiryMs: 30_000 });
    expect(parseLockOptions({ idleExpiryMs: Infinity }, { idleExpiryMs: 60_000 }).idleExpiryMs).toBe(
      Infinity,
    );
    expect(problems(() => parseLockOptions({ idleExpiryMs: 1 }))).toEqual([
      `lock: idleExpiryMs ${IDLE_EXPIRY}, got 1`,
    ]);
    expect(problems(() => parseLockOptions({ idleExpiryMs: 29_999 }))).toEqual([
      'lock: idleExpiryMs must be at least twice leaseMs (15000), got 29999',
    ]);
    expect(problems(() => parseLockOptions({ idleExpiryMs: 60_000 }, { slots: 8 }))).toEqual([
      'lock: idleExpiryMs must be given to connect, because of slots',
    ]);
  });

  test('state goes with neither slots nor an idle expiry, and a lock can do without the expiry of connect', () => {
    const state = z.object({ cursor: z.number() });
    const expiry = 'lock: idleExpiryMs must be Infinity for locks with state and for schedules, got 60000';
    expect(parseLockOptions({ state })).toEqual({ state });
    expect(problems(() => parseLockOptions({ state }, { slots: 8 }))).toEqual([
      'lock: slots must be left out of connect for locks with state and for schedules, got 8',
    ]);
    expect(problems(() => parseLockOptions({ state, idleExpiryMs: 60_000 }))).toEqual([expiry]);
    expect(problems(() => parseLockOptions({ state }, { idleExpiryMs: 60_000 }))).toEqual([expiry]);
    expect(parseLockOptions({ state, idleExpiryMs: Infinity }, { idleExpiryMs: 60_000 })).toEqual({
      state,
      idleExpiryMs: Infinity,
    });
  });
});

describe('options of acquire', () => {
  const TIMEOUT = 'must be 0 or more milliseconds, or Infinity';

  test('undefined is the same as none, for both', () => {
    const { timeoutMs, signal } = parseAcquireOptions({ timeoutMs: undefined, signal: undefined });
    expect([timeoutMs, signal]).toEqual([undefined, undefined]);
    expect(parseAcquireOptions(undefined)).toEqual({});
  });

  test.each([0, 0.5, 1, 2 ** 40, Number.POSITIVE_INFINITY])('timeoutMs takes %d', (timeoutMs) => {
    expect(parseAcquireOptions({ timeoutMs })).toEqual({ timeoutMs });
  });

  test('signal takes an AbortSignal, untouched', () => {
    const { signal } = new AbortController();
    expect(parseAcquireOptions({ signal }).signal).toBe(signal);
  });

  test.each<[string, string, unknown, string]>([
    ['timeoutMs', TIMEOUT, -1, '-1'],
    ['timeoutMs', TIMEOUT, Number.NaN, 'NaN'],
    ['timeoutMs', TIMEOUT, '5', '"5"'],
    ['timeoutMs', TIMEOUT, null, 'null'],
    ['signal', 'must be an AbortSignal', {}, 'an object'],
    ['signal', 'must be an AbortSignal', new AbortController(), 'an object'],
    ['signal', 'must be an AbortSignal', null, 'null'],
  ])('%s %s (%s)', (option, expectation, value, shown) => {
    expect(problems(() => parseAcquireOptions({ [option]: value }))).toEqual([
      `acquire: ${option} ${expectation}, got ${shown}`,
    ]);
  });

  test('an option that does not exist is refused', () => {
    expect(problems(() => parseAcquireOptions({ timeout: 5 }))).toEqual(['acquire: unknown option timeout']);
  });
});

describe('options of close', () => {
  test('an undefined drainMs is the same as none: 10 s', () => {
    for (const options of [undefined, {}, { drainMs: undefined }]) {
      expect(parseCloseOptions(options)).toEqual({ drainMs: 10_000 });
    }
    expect(parseCloseOptions({ drainMs: 0 })).toEqual({ drainMs: 0 });
  });

  test.each<[unknown, string]>([
    [-1, '-1'],
    [0.5, '0.5'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    ['10', '"10"'],
  ])('drainMs is refused in one sentence (%s)', (drainMs, shown) => {
    expect(problems(() => parseCloseOptions({ drainMs }))).toEqual([`close: drainMs ${ms(0)}, got ${shown}`]);
    expect(problems(() => parseCloseOptions({ drain: 5 }))).toEqual(['close: unknown option drain']);
  });
});

describe('a lock name', () => {
  const LENGTH = 'lock name must be 1 to 255 characters, got';
  const UNICODE = 'lock name must be a string of well-formed Unicode, got';

  test.each(['a', ' ', 'invoice:42/€', 'x'.repeat(255), '\u{1F512}'.repeat(255)])(
    'may be any 1 to 255 characters of Unicode, also astral ones (%s)',
    (name) => {
      expect(parseLockName(name)).toBe(name);
    },
  );

  test.each<[unknown, string]>([
    ['', `${LENGTH} 0`],
    ['x'.repeat(256), `${LENGTH} 256`],
    ['\u{1F512}'.repeat(256), `${LENGTH} 256`],
    ['a\ud800', `${UNICODE} "a\\ud800"`],
    ['\udc00', `${UNICODE} "\\udc00"`],
    [`${'x'.repeat(50)}\ud800`, `${UNICODE} "${'x'.repeat(40)}…"`],
    [undefined, `${UNICODE} undefined`],
    [42, `${UNICODE} 42`],
    [['a'], `${UNICODE} an array`],
  ])('is refused in one sentence otherwise (%#)', (name, sentence) => {
    expect(problems(() => parseLockName(name))).toEqual([sentence]);
  });
});
