import { describe, expect, test } from 'vitest';
import { InvalidOptionsError } from '../../src/errors.ts';
import {
  parseAcquireOptions,
  parseCloseOptions,
  parseConnectOptions,
  parseLockName,
  parseLockOptions,
} from '../../src/options.ts';

/** The sentences that a call is refused with. */
function problems(call: () => unknown): readonly string[] {
  try {
    return expect.fail(`accepted, with ${String(call())}`);
  } catch (error) {
    if (!(error instanceof InvalidOptionsError)) throw error;
    expect(error.message).toBe(error.problems.join('; '));
    return error.problems;
  }
}

const DEFAULTS = {
  service: 'batonmq',
  namespace: 'default',
  leaseMs: 15_000,
  verifyEveryMs: 5_000,
  healAfterMs: 30_000,
  grant: 'auto',
  connectTimeoutMs: 10_000,
  socketOptions: {},
};
const MAX = 2 ** 31 - 1;
const GRANT = "must be 'auto', 'verified' or 'immediate'";
const SERVICE = 'must be a string of 1 to 64 characters';
const NAMESPACE = 'must be 1 to 32 of A-Z a-z 0-9 _ -';
const HEARTBEAT =
  'must be whole seconds in milliseconds from 1000 to 65535000 (heartbeats cannot be turned off)';
const LOGGER = 'must be a logger with debug, info, warn and error';
const ms = (min: number) => `must be a whole number of milliseconds from ${min} to ${MAX}`;

describe('options of connect', () => {
  test('are all optional, and all have a default', () => {
    for (const options of [undefined, null, {}]) {
      const settings = parseConnectOptions(options);
      expect(settings).toMatchObject(DEFAULTS);
      expect(settings.heartbeatMs).toBeUndefined();
      expect(settings.logger.info({}, 'nobody sees this')).toBeUndefined();
    }
  });

  test.each([...Object.keys(DEFAULTS), 'heartbeatMs', 'logger'])(
    'an undefined %s is the same as none',
    (option) => {
      expect(parseConnectOptions({ [option]: undefined })).toEqual(parseConnectOptions({}));
    },
  );

  test.each<[string, unknown]>([
    ['service', 'x'],
    ['service', 'ü'.repeat(64)],
    ['namespace', 'Team_7-b'],
    ['namespace', 'x'.repeat(32)],
    ['heartbeatMs', 8_000],
    ['heartbeatMs', 65_535_000],
    ['leaseMs', 10_000],
    ['leaseMs', MAX],
    ['verifyEveryMs', 100],
    ['verifyEveryMs', 7_500],
    ['healAfterMs', 100],
    ['healAfterMs', MAX],
    ['grant', 'verified'],
    ['grant', 'immediate'],
    ['connectTimeoutMs', 1],
    ['socketOptions', { ca: ['pem'], servername: 'rabbit' }],
    ['logger', console],
  ])('%s takes %j', (option, value) => {
    expect(parseConnectOptions({ [option]: value })).toMatchObject({ [option]: value });
  });

  test.each<[option: string, expectation: string, value: unknown, shown: string]>([
    ['service', SERVICE, '', '""'],
    ['service', SERVICE, 5, '5'],
    ['service', SERVICE, null, 'null'],
    ['service', SERVICE, 'a\ud800', '"a\\ud800"'],
    ['namespace', NAMESPACE, '', '""'],
    ['namespace', NAMESPACE, 'a.b', '"a.b"'],
    ['namespace', NAMESPACE, 'x'.repeat(33), '"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"'],
    ['namespace', NAMESPACE, 7, '7'],
    ['heartbeatMs', HEARTBEAT, '10s', '"10s"'],
    ['heartbeatMs', HEARTBEAT, 8_500, '8500'],
    ['heartbeatMs', HEARTBEAT, 65_536_000, '65536000'],
    ['heartbeatMs', HEARTBEAT, Number.NaN, 'NaN'],
    ['leaseMs', ms(300), '5s', '"5s"'],
    ['leaseMs', ms(300), 15_000.5, '15000.5'],
    ['leaseMs', ms(300), 2 ** 31, '2147483648'],
    ['leaseMs', ms(300), 10n, '10n'],
    ['leaseMs', ms(300), Number.POSITIVE_INFINITY, 'Infinity'],
    ['verifyEveryMs', ms(100), 99, '99'],
    ['verifyEveryMs', ms(100), -5, '-5'],
    ['verifyEveryMs', ms(100), true, 'true'],
    ['healAfterMs', ms(100), 0, '0'],
    ['healAfterMs', ms(100), {}, 'an object'],
    ['grant', GRANT, 'later', '"later"'],
    ['grant', GRANT, null, 'null'],
    ['connectTimeoutMs', ms(1), 0, '0'],
    ['connectTimeoutMs', ms(1), [], 'an array'],
    ['socketOptions', 'must be an object', 'ca', '"ca"'],
    ['socketOptions', 'must be an object', null, 'null'],
    ['socketOptions', 'must be an object', ['ca'], 'an array'],
    ['logger', LOGGER, { info: () => {} }, 'an object'],
    ['logger', LOGGER, () => {}, 'a function'],
    ['logger', LOGGER, { ...console, error: 'no' }, 'an object'],
  ])('%s %s: one sentence, with what was got (%s)', (option, expectation, value, shown) => {
    expect(problems(() => parseConnectOptions({ [option]: value }))).toEqual([
      `connect: ${option} ${expectation}, got ${shown}`,
    ]);
  });

  test('verifyEveryMs is at most half of leaseMs, so that an answer may be late once', () => {
    expect(problems(() => parseConnectOptions({ verifyEveryMs: 7_501 }))).toEqual([
      'connect: verifyEveryMs must be at most half of leaseMs (15000), got 7501',
    ]);
    expect(parseConnectOptions({ leaseMs: 300, verifyEveryMs: 150 })).toMatchObject({ leaseMs: 300 });
  });

  test('leaseMs is under twice heartbeatMs, so that a holder gives up before the broker does', () => {
    expect(problems(() => parseConnectOptions({ heartbeatMs: 5_000, leaseMs: 10_000 }))).toEqual([
      'connect: leaseMs must be under twice heartbeatMs (5000), got 10000',
    ]);
    expect(parseConnectOptions({ heartbeatMs: 5_000, leaseMs: 9_999, verifyEveryMs: 100 })).toBeDefined();
  });

  test('several problems at once are told in one sentence each', () => {
    const options = { service: '', leaseMs: -1, grant: 3, wait: true };
    expect(problems(() => parseConnectOptions(options))).toEqual([
      `connect: service ${SERVICE}, got ""`,
      `connect: leaseMs ${ms(300)}, got -1`,
      `connect: grant ${GRANT}, got 3`,
      'connect: unknown option wait',
    ]);
  });

  test('an option that does not exist is refused, by its name', () => {
    expect(problems(() => parseConnectOptions({ leaseMS: 1 }))).toEqual(['connect: unknown option leaseMS']);
    expect(problems(() => parseConnectOptions({ a: 1, b: 2 }))).toEqual(['connect: unknown option a, b']);
  });

  test.each<[unknown, string]>([
    ['x', '"x"'],
    [5, '5'],
    [[], 'an array'],
    [() => {}, 'a function'],
  ])('that are no object at all are refused (%j)', (options, shown) => {
    expect(problems(() => parseConnectOptions(options))).toEqual([
      `connect: options must be an object, got ${shown}`,
    ]);
  });
});

describe('what an error says of a value', () => {
  test('is cut after 40 characters, because it may be a secret', () => {
    const [problem] = problems(() =>
      parseConnectOptions({ service: `${'x'.repeat(40)}-secret-${'y'.repeat(40)}` }),
    );
    expect(problem).toBe(`connect: service ${SERVICE}, got "${'x'.repeat(40)}…"`);
  });

  test('is only that it is an object, never what is in it', () => {
    const holder = { password: 'hunter2', toString: () => 'hunter2', toJSON: () => 'hunter2' };
    for (const option of ['service', 'leaseMs', 'grant', 'logger', 'namespace']) {
      const [problem] = problems(() => parseConnectOptions({ [option]: holder }));
      expect(problem).toMatch(/got an object$/);
    }
  });
});

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
