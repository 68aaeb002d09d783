/**
 * The tests on a broker in a container, for machines without Docker: Debian's engine, in namespaces of its own, and an
 * image made from Debian's packages. Takes root and Debian, and leaves the machine as it was.
 *
 *     npm run test:docker                   the broker provider's tests and the contract on RabbitMQ
 *     npm run test:docker -- <vitest args>  others, for example -t 'words of the name'
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRoot, readDistribution } from '../../support/broker/debian.ts';
import { Engine } from './engine.ts';
import { importImage } from './image.ts';
import { DockerPackage } from './packages.ts';

/** By project of vitest. */
const FILES = {
  alone: ['test/integration/alone/provider.test.ts', 'test/contract/parts/rabbitmq-alone.test.ts'],
  contract: [1, 2, 3].map((part) => `test/contract/parts/rabbitmq-${part}.test.ts`),
} as const;

const log = (line: string): void => void process.stderr.write(`docker: ${line}\n`);

/** An interrupted run puts everything back as well. */
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  log(error instanceof Error ? error.message : String(error));
  return 1;
});

async function main(args: readonly string[]): Promise<number> {
  if (!isRoot() || (await readDistribution()).id !== 'debian') {
    log('this takes Debian and root');
    return 1;
  }
  await using _package = await DockerPackage.provide(log);
  const folder = await mkdtemp(join(tmpdir(), 'batonmq-docker-'));
  await using engine = await Engine.start(folder);
  log(`an engine of our own: ${(await engine.docker('version', '--format', '{{.Server.Version}}')).trim()}`);
  await importImage(engine, folder, log);
  if (interrupted.signal.aborted) return 1;

  const runs = args.length > 0 ? [['contract', args] as const] : Object.entries(FILES);
  const results: Awaited<ReturnType<typeof runTests>>[] = [];
  for (const [project, files] of runs) results.push(await runTests(engine, folder, project, files));
  const code = results.find((it) => it.code !== 0)?.code ?? 0;
  const brokers = results.flatMap((it) => it.brokers);
  const passed = results.reduce((sum, it) => sum + it.passed, 0);
  const left = (await engine.docker('ps', '--all', '--quiet')).trim();
  const problems = [
    ...(code === 0 ? [] : [`vitest ended with ${code}`]),
    ...(brokers.length > 0 && brokers.every((line) => line.endsWith('(docker)'))
      ? []
      : [`not in a container: ${brokers.join('; ') || 'no broker'}`]),
    ...(passed > 0 ? [] : ['no test has passed']),
    ...(left === '' ? [] : [`containers are left: ${left}`]),
  ];
  for (const problem of problems) log(problem);
  if (problems.length === 0) log(`${passed} tests passed on ${brokers.join('; ')}`);
  return problems.length === 0 ? 0 : 1;
}

/** `brokers`: how the tests themselves say that they came by their broker. */
async function runTests(
  engine: Engine,
  folder: string,
  project: string,
  args: readonly string[],
): Promise<{ readonly code: number; readonly brokers: readonly string[]; readonly passed: number }> {
  const report = join(folder, 'report.json');
  const { BATON_URL: _url, BATON_BROKER_VERSION: _version, ...env } = process.env;
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const [file = '', ...rest] = engine.inside([
    process.execPath,
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    project,
    ...reporters,
    ...args,
  ]);
  // The reaper of testcontainers is an image of its own, which is not to be had here. Containers end with the engine.
  const child = spawn(file, rest, {
    env: { ...env, ...engine.env, TESTCONTAINERS_RYUK_DISABLED: 'true' },
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  interrupted.signal.addEventListener('abort', () => child.kill());
  let said = '';
  child.stderr.on('data', (bytes: Buffer) => {
    process.stderr.write(bytes);
    said += bytes;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  const brokers = [...said.matchAll(/^broker: (RabbitMQ .*)$/gm)].map(([, line]) => line ?? '');
  const { numPassedTests } = JSON.parse(await readFile(report, 'utf8').catch(() => '{}')) as {
    numPassedTests?: number;
  };
  return { code: code ?? 1, brokers, passed: numPassedTests ?? 0 };
}
