import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readConnection } from '../../src/cli/connection.ts';
import { formatDuration, parseDuration } from '../../src/cli/duration.ts';
import { CONNECTION, inFlags, parseFlags, variableOf } from '../../src/cli/flags.ts';
import { readOrder } from '../../src/cli/run/order.ts';
import { InvalidOptionsError } from '../../src/index.ts';
import { parseConnectOptions } from '../../src/options.ts';

/** Every flag but those of files: what is written, and the option that the library gets. */
const READ: readonly (readonly [flag: string, text: string, option: string, value: unknown])[] = [
  ['service', 'billing', 'service', 'billing'],
  ['namespace', 'jobs', 'namespace', 'jobs'],
  ['heartbeat', '20s', 'heartbeatMs', 20_000],
  ['lease', '30s', 'leaseMs', 30_000],
  ['verify-every', '1500ms', 'verifyEveryMs', 1_500],
  ['heal-after', '1m', 'healAfterMs', 60_000],
  ['grant', 'verified', 'grant', 'verified'],
  ['idle-expiry', '1h', 'idleExpiryMs', 3_600_000],
  ['slots', '64', 'slots', 64],
  ['connect-timeout', '3s', 'connectTimeoutMs', 3_000],
  ['socket-options', '{"servername":"mq1"}', 'socketOptions', { servername: 'mq1' }],
];

const read = (args: readonly string[], env: Record<string, string> = {}) =>
  readConnection(parseFlags(args, {}).values, env);

describe('every option of connect', () => {
  test.each(READ)('--%s %s is %s', async (flag, text, option, value) => {
    const { options } = await read([`--${flag}`, text]);
    expect(options).toMatchObject({ [option]: value });
    expect(() => parseConnectOptions({ heartbeatMs: 30_000, ...options })).not.toThrow();
  });

  test.each(READ)(
    'is also taken from the variable of --%s, which the flag overrides',
    async (flag, text, option, value) => {
      const other = {
        service: 'other',
        namespace: 'other',
        grant: 'auto',
        slots: '8',
        'socket-options': '{"other":1}',
      }[flag];
      const env = { [variableOf(flag)]: other ?? '7s' };
      expect((await read([], { [variableOf(flag)]: text })).options).toMatchObject({ [option]: value });
      expect((await read([`--${flag}`, text], env)).options).toMatchObject({ [option]: value });
      expect((await read([], env)).options).not.toMatchObject({ [option]: value });
    },
  );

  test('has a flag that is read here or in the test of files', () => {
    const tested = ['url', 'url-file', ...READ.map(([flag]) => flag), 'ca', 'cert', 'key', 'verbose'];
    expect(Object.keys(CONNECTION).sort()).toEqual(tested.sort());
    const settings = Object.keys(parseConnectOptions({ heartbeatMs: 10_000, slots: 1 }));
    // A command acquires one lock.
    expect(settings.filter((it) => it !== 'logger' && it !== 'localBatch').sort()).toEqual(
      READ.map(([, , option]) => option).sort(),
    );
  });

  test('of TLS is read from files', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'batonmq-cli-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    for (const name of ['ca', 'cert', 'key']) await writeFile(join(folder, name), `the ${name}`);
    const { options } = await read(['--ca', join(folder, 'ca'), '--key', join(folder, 'key')], {
      BATON_CERT: join(folder, 'cert'),
    });
    const { socketOptions } = options;
    expect(typeof socketOptions === 'function' && socketOptions()).toEqual({
      ca: Buffer.from('the ca'),
      cert: Buffer.from('the cert'),
      key: Buffer.from('the key'),
    });
    await expect(read(['--ca', join(folder, 'none')])).rejects.toThrow(
      /^--ca cannot be read from ".*none": no such file or directory \(ENOENT\)$/,
    );
  });

  test('is left to the library when it is not given, or empty', async () => {
    const { urls, options } = await read([], { BATON_NAMESPACE: '', BATON_URL: '', BATON_VERBOSE: '0' });
    expect(urls).toEqual(['amqp://localhost']);
    expect(parseConnectOptions(options)).toEqual({ ...parseConnectOptions({}), service: 'baton' });
  });
});

test('the broker is that of --url, which may be repeated, else of BATON_URL', async () => {
  const env = { BATON_URL: 'amqp://one  amqp://two/v' };
  expect((await read([], env)).urls).toEqual(['amqp://one', 'amqp://two/v']);
  expect((await read(['--url', 'amqp://a', '--url', 'amqp://b'], env)).urls).toEqual([
    'amqp://a',
    'amqp://b',
  ]);
});

test('what cannot be read is named as it was given, and a secret is not quoted', async () => {
  await expect(read([], { BATON_LEASE: '15' })).rejects.toThrow(
    /^BATON_LEASE must be a duration such as .*, got "15"$/,
  );
  await expect(read(['--slots', '1.5'])).rejects.toThrow(/^--slots must be a whole number, got "1.5"$/);
  const secret = read(['--socket-options', '{"passphrase":"hush"']);
  await expect(secret).rejects.toThrow(/^--socket-options must be a JSON object/);
  await expect(secret).rejects.not.toThrow(/hush/);
});

test('the library’s sentences about options are told in flags', () => {
  const given = { leaseMs: 50_000, heartbeatMs: 10_000, verifyEveryMs: 30_000 };
  const problem = (() => {
    try {
      return parseConnectOptions(given);
    } catch (error) {
      return error;
    }
  })();
  expect(problem).toBeInstanceOf(InvalidOptionsError);
  expect(inFlags(String(problem).replace(/^InvalidOptionsError: /, ''))).toBe(
    '--verify-every must be at most half of --lease (50000), got 30000; --lease must be under twice --heartbeat (10000), got 50000',
  );
});

test.each([
  ['500ms', 500],
  ['1.5s', 1_500],
  ['5m', 300_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
  ['1w', 604_800_000],
  ['0', 0],
])('%s is %i ms', (text, ms) => {
  expect(parseDuration(text, 'it')).toBe(ms);
});

test.each(['', '10', '-1s', '1 s s', 's', '1y', '1e3s', 'Infinity'])('%j is no duration', (text) => {
  expect(() => parseDuration(text, 'it')).toThrow(/^it must be a duration/);
});

test('a duration is told in the largest unit that fits', () => {
  expect([500, 1_500, 30_000, 3_600_000, 172_800_000].map(formatDuration)).toEqual([
    '500ms',
    '1500ms',
    '30s',
    '1h',
    '2d',
  ]);
});

describe('the times of a run', () => {
  const order = (...flags: string[]) => readOrder(['x', ...flags, '--', 'true'], {});

  test('wait without end by default, as long as told, or not at all', async () => {
    expect((await order()).waitMs).toBe(Number.POSITIVE_INFINITY);
    expect((await order('--wait', '90s')).waitMs).toBe(90_000);
    expect((await order('--no-wait')).waitMs).toBe(0);
  });

  test('the command is told to stop 5 s before the end of a lease, earlier only if told, later if the lease is short', async () => {
    expect((await order()).killAfterMs).toBe(5_000);
    expect((await order('--kill-after', '7500ms')).killAfterMs).toBe(7_500);
    expect((await order('--lease', '3s', '--verify-every', '1s')).killAfterMs).toBe(1_500);
  });

  test('the guard hears of the lease four times between two verifications, and at least every 250 ms', async () => {
    expect((await order()).beatEveryMs).toBe(250);
    expect((await order('--lease', '600ms', '--verify-every', '200ms')).beatEveryMs).toBe(50);
  });
});
