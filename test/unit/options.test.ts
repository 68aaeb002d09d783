import { describe, expect, test } from 'vitest';
import {
  parseAcquireOptions,
  parseCloseOptions,
  parseConnectOptions,
  parseLockOptions,
} from '../../src/options.ts';
import { GRANT, ms, problems } from './options-problems.ts';

const DEFAULTS = {
  service: 'batonmq',
  namespace: 'default',
  leaseMs: 15_000,
  verifyEveryMs: 5_000,
  healAfterMs: 30_000,
  grant: 'auto',
  idleExpiryMs: Number.POSITIVE_INFINITY,
  connectTimeoutMs: 10_000,
  socketOptions: {},
};
const MAX = 2 ** 31 - 1;
const SERVICE = 'must be a string of 1 to 64 characters';
const NAMESPACE = 'must be 1 to 32 of A-Z a-z 0-9 _ -';
const HEARTBEAT =
  'must be whole seconds in milliseconds from 1000 to 65535000 (heartbeats cannot be turned off)';
const SOCKET = 'must be an object, or a function that returns one';
const LOGGER = 'must be a logger with debug, info, warn and error';

describe('options of connect', () => {
  test('are all optional, and all have a default', () => {
    for (const options of [undefined, null, {}]) {
      const settings = parseConnectOptions(options);
      expect(settings).toMatchObject(DEFAULTS);
      expect(settings.heartbeatMs).toBeUndefined();
      expect(settings.slots).toBeUndefined();
      expect(settings.logger.info({}, 'nobody sees this')).toBeUndefined();
    }
  });

  test.each([...Object.keys(DEFAULTS), 'heartbeatMs', 'slots', 'logger'])(
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
    ['idleExpiryMs', 30_000],
    ['idleExpiryMs', MAX],
    ['slots', 1],
    ['slots', 10_000],
    ['connectTimeoutMs', 1],
    ['socketOptions', { ca: ['pem'], servername: 'rabbit' }],
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
    ['socketOptions', SOCKET, 'ca', '"ca"'],
    ['socketOptions', SOCKET, null, 'null'],
    ['socketOptions', SOCKET, ['ca'], 'an array'],
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

  test('what is bad by itself is not compared with others: a heartbeatMs with a leaseMs that nobody gave', () => {
    for (const heartbeatMs of [0, 1_500]) {
      expect(problems(() => parseConnectOptions({ heartbeatMs }))).toEqual([
        `connect: heartbeatMs ${HEARTBEAT}, got ${heartbeatMs}`,
      ]);
    }
  });

  test('what is bad by itself is not compared with others: a leaseMs with a verifyEveryMs that nobody gave', () => {
    expect(problems(() => parseConnectOptions({ leaseMs: 299 }))).toEqual([
      `connect: leaseMs ${ms(300)}, got 299`,
    ]);
  });

  test('what is compared waits until every option is good by itself, whichever is bad', () => {
    expect(problems(() => parseConnectOptions({ verifyEveryMs: 7_501, service: '' }))).toEqual([
      `connect: service ${SERVICE}, got ""`,
    ]);
  });

  test('both comparisons that fail are told, in one sentence each', () => {
    expect(problems(() => parseConnectOptions({ verifyEveryMs: 7_501, heartbeatMs: 5_000 }))).toEqual([
      'connect: verifyEveryMs must be at most half of leaseMs (15000), got 7501',
      'connect: leaseMs must be under twice heartbeatMs (5000), got 15000',
    ]);
  });

  test('socketOptions take any object, as their type says, and not only a plain one, or a function', () => {
    class Secured {
      readonly servername = 'rabbit';
    }
    for (const socketOptions of [new Secured(), () => ({ ca: 'pem' })]) {
      expect(parseConnectOptions({ socketOptions }).socketOptions).toBe(socketOptions);
    }
    expect(parseConnectOptions({ socketOptions: Object.create(null) }).socketOptions).toEqual({});
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
    ['x', 'a string'],
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

  test('is nothing of a string in place of the options: it may be a URL with its password', () => {
    const sentence = 'must be an object, got a string';
    for (const url of ['amqp://me:hunter2@rabbit', '', 'x'.repeat(500)]) {
      expect(problems(() => parseConnectOptions(url))).toEqual([`connect: options ${sentence}`]);
      expect(problems(() => parseLockOptions(url, parseConnectOptions({})))).toEqual([
        `lock: options ${sentence}`,
      ]);
      expect(problems(() => parseAcquireOptions(url))).toEqual([`acquire: options ${sentence}`]);
      expect(problems(() => parseCloseOptions(url))).toEqual([`close: options ${sentence}`]);
    }
  });

  test('is only that it is an object, never what is in it', () => {
    const holder = { password: 'hunter2', toString: () => 'hunter2', toJSON: () => 'hunter2' };
    for (const option of ['service', 'leaseMs', 'grant', 'logger', 'namespace']) {
      const [problem] = problems(() => parseConnectOptions({ [option]: holder }));
      expect(problem).toMatch(/got an object$/);
    }
  });
});
