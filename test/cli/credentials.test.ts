/** Where the command gets its login from, and who else sees it. */
import { execFile } from 'node:child_process';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { provideOAuthBroker, withToken } from '../support/oauth.ts';
import { openProxy } from '../support/proxy.ts';
import { makeCertificate, openTlsFront } from '../support/tls.ts';
import {
  BROKER,
  baton,
  batonResult,
  coordinator,
  lockName,
  openEnded,
  shown,
  until,
} from './support/baton.ts';
import { consumersOf } from './support/queues.ts';

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'batonmq-cli-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

/** Replaces a file as Kubernetes and certbot do. */
async function replace(file: string, text: string | Buffer): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

describe('a file with the URL', () => {
  test.each<[how: string, args: (file: string) => string[], env: (file: string) => Record<string, string>]>([
    ['--url-file', (file) => ['--url-file', file], () => ({ BATON_URL: 'amqp://127.0.0.1:1' })],
    ['BATON_URL_FILE', () => [], (BATON_URL_FILE) => ({ BATON_URL_FILE, BATON_URL: '' })],
  ])('is named by %s; every command reads it', async (_, args, env) => {
    const file = join(await folder(), 'url');
    await writeFile(file, `\n  amqp://127.0.0.1:1\n${BROKER.url}\n`);
    const lock = await lockName();
    const options = { env: env(file) };
    const run = await batonResult(['run', lock, ...args(file), '--', 'echo', 'ran'], options);
    expect(run).toEqual({ code: 0, stdout: 'ran\n', stderr: '' });
    expect((await batonResult(['ls', lock, ...args(file)], options)).stdout).toMatch(/free/);
  });

  test('is read again at every connection: a waiter comes back with what it says then', async () => {
    const file = join(await folder(), 'url');
    const proxy = await openProxy(BROKER.url);
    onTestFinished(() => proxy.close());
    await writeFile(file, proxy.url);
    const lock = await lockName();
    const holder = await coordinator();
    const lease = await holder.lock(lock).acquire();
    const run = baton(['run', lock, '--url-file', file, '--', 'echo', 'ran']);
    await until(async () => expect(await consumersOf(lock)).toBe(2));
    await replace(file, BROKER.url);
    await proxy.close();
    await until(async () => expect(await consumersOf(lock)).toBe(1));
    await until(async () => expect(await consumersOf(lock)).toBe(2));
    await lease.release();
    expect((await run.exit).code).toBe(0);
    expect(run.stdout).toBe('ran\n');
  });

  test.each<[what: string, text: string | undefined, args: string[], sentence: RegExp]>([
    ['that is not there', undefined, [], /^baton: --url-file cannot be read from /],
    ['without a URL', ' \n', [], /^baton: --url-file: there is no URL in /],
    ['whose URL cannot be read', 'amqp://me:hush#@mq', [], /^baton: URL .* percent-encode/],
    ['beside --url', 'amqp://mq', ['--url', 'amqp://mq'], /--url and --url-file exclude each other/],
  ])('%s is 64, and is not quoted', async (_, text, args, sentence) => {
    const file = join(await folder(), 'url');
    if (text !== undefined) await writeFile(file, text);
    const result = await batonResult(['run', 'x', '--url-file', file, ...args, '--', 'true']);
    expect(result.code).toBe(64);
    expect(result.stderr).toMatch(sentence);
    expect(result.stderr).not.toContain('hush');
  });

  test('may be a pipe, which is read once', async () => {
    const lock = await lockName();
    const script = 'echo "$URL" | "$NODE" "$COMMAND" run "$LOCK" --url-file /dev/stdin -- echo ran';
    const names = {
      URL: BROKER.url,
      NODE: process.execPath,
      COMMAND: process.env.BATON_TEST_COMMAND,
      LOCK: lock,
    };
    const { stdout } = await promisify(execFile)('sh', ['-c', script], { env: { ...process.env, ...names } });
    expect(stdout).toBe('ran\n');
  });
});

test('a token in a file is renewed from there, so a command may run for longer than it lives', async ({
  skip,
}) => {
  const provided = await provideOAuthBroker();
  if (provided === undefined) return skip();
  const { broker, issuer } = provided;
  onTestFinished(() => broker.stop());
  const file = join(await folder(), 'url');
  const refresh = () => replace(file, withToken(broker.url, issuer.token(10_000)));
  await refresh();
  const { script, end } = await openEnded();
  const run = baton(['run', 'long', '--url-file', file, '--verbose', '--', 'sh', '-c', script]);
  const refreshing = setInterval(() => void refresh(), 1_000);
  onTestFinished(() => clearInterval(refreshing));
  const renewals = () => run.stderr.split('credentials of a connection renewed').length - 1;
  // Of two connections or three.
  await until(() => expect(renewals()).toBeGreaterThanOrEqual(6));
  await end();
  expect((await run.exit).code).toBe(0);
});

test('certificates are read again at every connection', async () => {
  const path = await folder();
  const [server, first, second] = ['localhost', 'first', 'second'].map((it) => makeCertificate(path, it));
  if (server === undefined || first === undefined || second === undefined) throw new Error('no certificates');
  const front = await openTlsFront(BROKER.url, server);
  onTestFinished(() => front.close());
  const lock = await lockName();
  const lease = await (await coordinator()).lock(lock).acquire();
  const files = ['--ca', server.certFile, '--cert', first.certFile, '--key', first.keyFile];
  const run = baton(['run', lock, '--url', front.url, ...files, '--', 'echo', 'ran']);
  await until(async () => expect(await consumersOf(lock)).toBe(2));
  expect(new Set(front.clients)).toEqual(new Set(['first']));
  const before = front.clients.length;
  await replace(first.keyFile, second.key);
  await replace(first.certFile, second.cert);
  front.reset();
  await until(() => expect(front.clients.slice(before)).toEqual(['second', 'second']));
  await until(async () => expect(await consumersOf(lock)).toBe(2));
  await lease.release();
  expect((await run.exit).code).toBe(0);
});

describe('what COMMAND inherits', () => {
  const SECRETS = { BATON_SOCKET_OPTIONS: '{"passphrase":"x"}', BATON_MANAGEMENT_URL: 'http://a:b@mq' };
  const variables = (stdout: string) =>
    stdout
      .split('\n')
      .flatMap((line) => /^BATON_\w+/.exec(line)?.[0] ?? [])
      .filter((name) => name !== 'BATON_QUIET') // of the tests themselves
      .sort();

  test('is the login too, so that a call within a call works', async () => {
    const [outer, inner] = [await lockName(), await lockName()];
    const env = { ...SECRETS, BATON_URL_FILE: '/none' };
    const { code, stdout } = await batonResult(['run', outer, '--', 'env'], { env });
    expect(code).toBe(0);
    expect(variables(stdout)).toEqual([...Object.keys(env), 'BATON_FENCE', 'BATON_LOCK', 'BATON_URL'].sort());
    const nested = [
      process.execPath,
      process.env.BATON_TEST_COMMAND ?? '',
      'run',
      inner,
      '--',
      'echo',
      'ran',
    ];
    expect((await batonResult(['run', outer, '--', ...nested])).stdout).toBe('ran\n');
  });

  test('with --scrub-env is nothing in which a password can be', async () => {
    const lock = await lockName();
    const file = join(await folder(), 'url');
    await writeFile(file, BROKER.url);
    const env = { ...SECRETS, BATON_URL_FILE: file, BATON_SERVICE: 'billing', OTHER: 'kept' };
    const { code, stdout } = await batonResult(['run', lock, '--scrub-env', '--', 'env'], { env });
    expect(code).toBe(0);
    expect(variables(stdout)).toEqual(['BATON_FENCE', 'BATON_LOCK', 'BATON_SERVICE']);
    expect(stdout).toContain('OTHER=kept');
  });
});

test('a broker that starts after the command is waited for', async () => {
  const proxy = await openProxy(BROKER.url);
  onTestFinished(() => proxy.close());
  proxy.refuse();
  const run = baton([
    'run',
    await lockName(),
    '--url',
    proxy.url,
    '--verbose',
    '--connect-timeout',
    '1m',
    '--',
    'echo',
    'ran',
  ]);
  await until(() => expect(run.stderr).toMatch(/trying again/));
  proxy.accept();
  await shown(run, /ran/);
  expect((await run.exit).code).toBe(0);
});
