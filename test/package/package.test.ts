import { existsSync } from 'node:fs';
import { readFile, symlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mustRun, PackedPackage, ROOT, run } from './packed.ts';

let packed: PackedPackage;

beforeAll(async () => {
  packed = await PackedPackage.make();
});

afterAll(() => packed?.remove());

const bin = (name: string) => join(ROOT, 'node_modules/.bin', name);

/** Runs a module in the project that has the package installed, and returns what it printed, as JSON. It must end. */
async function inProject(source: string): Promise<unknown> {
  await packed.write('program.js', source);
  return JSON.parse(await mustRun(process.execPath, ['program.js'], packed.project, 30_000));
}

it('publishes the build, the pages about the package, and nothing else', async () => {
  const files = await packed.files();
  const pages = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'];
  expect(files).toEqual(expect.arrayContaining([...pages, 'dist/index.js']));
  const allowed = /^(?:CHANGELOG\.md|LICENSE|README\.md|package\.json|dist\/.*\.(?:js|d\.ts))$/;
  expect(files.filter((path) => !allowed.test(path))).toEqual([]);
  expect(files.filter((path) => /^dist\/.*(?<!\.d)\.ts$|\.test\.|^dist\/(?:src|test)\//.test(path))).toEqual(
    [],
  );
});

it('has no link to a file that is not in it', async () => {
  const files = new Set(await packed.files());
  const pages = await Promise.all(['README.md', 'CHANGELOG.md'].map((page) => packed.read(page)));
  const targets = pages.flatMap((page) =>
    [...page.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target),
  );
  const inside = targets.filter((target) => !/^(?:https?:|#)/.test(target));
  expect(inside.map((target) => posix.normalize(target)).filter((path) => !files.has(path))).toEqual([]);
});

it('publishes every file that its exports name', async () => {
  const files = new Set(await packed.files());
  const { exports } = JSON.parse(await packed.read('package.json')) as { exports: Record<string, unknown> };
  const named = Object.values(exports).flatMap((it) =>
    typeof it === 'string' ? [it] : Object.values(it as object),
  );
  expect(named.map((it) => posix.normalize(String(it))).filter((it) => !files.has(it))).toEqual([]);
});

it('installs a command that runs', async () => {
  const command = join(packed.project, 'node_modules/.bin/baton');
  const { version } = JSON.parse(await packed.read('package.json')) as { version: string };
  expect(await mustRun(command, ['--version'], packed.project, 30_000)).toBe(`${version}\n`);
  const { code, stdout } = await run(
    command,
    ['run', 'x', '--url', 'amqp://127.0.0.1:1', '--connect-timeout', '1s', '--', 'true'],
    packed.project,
  );
  expect({ code, stdout }).toEqual({ code: 69, stdout: '' });
});

it('gives publint nothing to say', async () => {
  const tarball = await readFile(packed.tarball);
  const { messages, pkg } = await publint({
    strict: true,
    level: 'warning',
    pack: { tarball: Uint8Array.from(tarball).buffer },
  });
  expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
});

it('has types that are right for everyone who can import it', async () => {
  const how = ['--profile', 'esm-only', '--format', 'ascii', '--no-color', '--no-emoji'];
  const { code, stdout } = await run(bin('attw'), [packed.tarball, ...how], ROOT);
  expect(code, stdout).toBe(0);
  // It did look, at every entry.
  expect(stdout.match(/"batonmq(?:\/\w+)?"\s+node16 \(from ESM\): OK \(ESM\)/g)).toHaveLength(3);
});

it('tells plain JavaScript that nobody answers, when connectTimeoutMs is over', async () => {
  const result = await inProject(`
    import { BrokerUnreachableError, connect, isBatonError } from 'batonmq';
    const started = performance.now();
    const error = await connect('amqp://127.0.0.1:1', { connectTimeoutMs: 2_000 }).catch((error) => error);
    console.log(JSON.stringify({
      ours: isBatonError(error) && error instanceof BrokerUnreachableError,
      name: error.name,
      code: error.code,
      retryable: error.retryable,
      inTime: performance.now() - started < 2_000 + 5_000,
    }));
  `);
  expect(result).toEqual({
    ours: true,
    name: 'BrokerUnreachableError',
    code: 'broker-unreachable',
    retryable: true,
    inTime: true,
  });
});

it('ends by itself after a failed connect: no timer or socket keeps the process alive', async () => {
  const result = await inProject(`
    import { connect } from 'batonmq';
    const error = await connect('amqp://127.0.0.1:1', { connectTimeoutMs: 1_000 }).catch((error) => error);
    console.log(JSON.stringify(error.code));
  `);
  expect(result).toBe('broker-unreachable');
});

it('has a testing entry', async () => {
  const names = await inProject(`
    import * as testing from 'batonmq/testing';
    console.log(JSON.stringify(Object.keys(testing)));
  `);
  expect(names).not.toEqual([]);
});

it('works without OpenTelemetry, and only batonmq/otel asks for it', async () => {
  expect(existsSync(join(packed.project, 'node_modules/@opentelemetry'))).toBe(false);
  const result = await inProject(`
    import { TestBroker } from 'batonmq/testing';
    const baton = new TestBroker().connect();
    const fence = await baton.lock('a').run((lease) => typeof lease.fence);
    await baton.close();
    const error = await import('batonmq/otel').catch((error) => error);
    console.log(JSON.stringify({ fence, code: error.code, asked: error.message.includes('@opentelemetry/api') }));
  `);
  expect(result).toEqual({ fence: 'bigint', code: 'ERR_MODULE_NOT_FOUND', asked: true });
});

it('records on OpenTelemetry where it is installed', async () => {
  await symlink(
    join(ROOT, 'node_modules/@opentelemetry'),
    join(packed.project, 'node_modules/@opentelemetry'),
  );
  const result = await inProject(`
    import { metrics } from '@opentelemetry/api';
    import { instrument } from 'batonmq/otel';
    import { TestBroker } from 'batonmq/testing';
    const added = [];
    const noop = metrics.getMeter('none');
    const meter = Object.create(noop, {
      createCounter: { value: (name) => ({ add: (value) => added.push([name, value]) }) },
    });
    instrument({ meterProvider: { getMeter: () => meter } });
    const baton = new TestBroker().connect();
    await baton.lock('a').run(() => {});
    await baton.close();
    console.log(JSON.stringify(added));
  `);
  expect(result).toEqual([
    ['batonmq.acquire.attempts', 1],
    ['batonmq.seeds', 1],
    ['batonmq.grants', 1],
  ]);
});

it('keeps its inner files to itself', async () => {
  const code = await inProject(`
    const error = await import('batonmq/dist/coordinator.js').catch((error) => error);
    console.log(JSON.stringify(error.code));
  `);
  expect(code).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED');
});

it('type-checks in a strict project that checks its libraries too', async () => {
  await packed.write('user.ts', USER);
  await packed.write('tsconfig.json', JSON.stringify(USER_CONFIG));
  const { code, stdout } = await run(bin('tsc'), ['-p', '.'], packed.project);
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
});

it('shows neither zod nor amqplib nor its own wiring in its types', async () => {
  const declarations = await declarationsFrom('dist/index.d.ts');
  await declarationsFrom('dist/testing/index.d.ts', declarations);
  expect(declarations.size).toBeGreaterThan(5);
  for (const [path, text] of declarations) {
    expect(text, path).not.toMatch(/['"](?:zod|amqplib|uuid)(?:\/[^'"]*)?['"]/);
    expect(text, path).not.toContain('@internal');
  }
});

/** A declaration file and all those that it leads to. */
async function declarationsFrom(
  path: string,
  found = new Map<string, string>(),
): Promise<Map<string, string>> {
  if (found.has(path)) return found;
  const text = await packed.read(path);
  found.set(path, text);
  for (const [, target = ''] of text.matchAll(/(?:from |import\()['"](\.[^'"]+)['"]/g)) {
    const next = posix.join(posix.dirname(path), target).replace(/(?:\.d)?\.[tj]s$/, '.d.ts');
    await declarationsFrom(next, found);
  }
  return found;
}

const USER_CONFIG = {
  compilerOptions: {
    target: 'es2022',
    lib: ['es2022', 'esnext.disposable'],
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
  },
  files: ['user.ts'],
};

const USER = `
import {
  AcquireTimeoutError, type AcquireOptions, type BatonErrorCode, BrokerUnreachableError, connect,
  type ConnectOptions, type Coordinator, isBatonError, type Lease, LeaseLostError, type Lock, type Logger,
  type LostReason, type SessionStateChange,
} from 'batonmq';

const logger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const options: ConnectOptions = { service: 'billing', leaseMs: 15_000, grant: 'auto', logger };
const wait: AcquireOptions = { timeoutMs: 5_000, signal: AbortSignal.timeout(9_000) };

export async function main(): Promise<string> {
  await using baton: Coordinator = await connect(['amqp://a', 'amqp://b'], options);
  baton.on('state', ({ from, to, error }: SessionStateChange) => void [from, to, error]);
  const lock: Lock = baton.lock('invoice:42');
  const written: string = await lock.run(async ({ fence, signal }) => String(fence) + signal.aborted, wait);
  await using lease: Lease = await lock.acquire({ timeoutMs: Infinity });
  const maybe: Lease | undefined = await lock.tryAcquire();
  const fence: bigint = lease.fence;
  lease.throwIfLost();
  await lease.verify();
  await maybe?.release();
  await baton.close({ drainMs: 30_000 });
  return written + fence + lease.remainingMs;
}

export function explain(error: unknown): BatonErrorCode | LostReason | undefined {
  if (error instanceof LeaseLostError) return error.reason;
  if (error instanceof AcquireTimeoutError || error instanceof BrokerUnreachableError) return error.code;
  return isBatonError(error) ? error.code : undefined;
}

export type Testing = keyof typeof import('batonmq/testing');

// @ts-expect-error A misspelt option is refused.
void connect('amqp://a', { leaseMS: 1 });
// @ts-expect-error A fence is a bigint.
export const half = (lease: Lease): number => lease.fence;
`;
