/**
 * `npm run demo`: a fleet on shared files, with one holder killed and one frozen. Exit code 0 only if the files are
 * right. With `--without-lock` the same fleet runs unlocked, and the check has to fail.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConnectOptions } from '../../src/options.ts';
import { lockQueueName } from '../../src/protocol/queues.ts';
import { connectSession } from '../../src/rabbitmq/session.ts';
import { provideBroker } from '../support/broker/index.ts';
import { check, type FileState, type Outcome } from './check.ts';
import { now } from './events.ts';
import { Faults } from './faults.ts';
import { Fleet } from './fleet.ts';
import { JOBS, planJobs, RESOURCES, WORKERS } from './plan.ts';
import { openScreen, type Screen } from './screen.ts';
import { SharedFile } from './store.ts';
import { summarise } from './summary.ts';
import { RUN_LIMIT_MS } from './times.ts';

const INTERRUPTED = 130;
const CLEAR_UP_MS = 10_000;
const withoutLock = process.argv.includes('--without-lock');
const say = (line: string): void => console.log(line);

async function runDemo(end: AbortController): Promise<number> {
  say('Looking for a broker …');
  await using broker = await provideBroker({ log: say });
  say(`RabbitMQ ${broker.version} (${broker.how}).`);
  // Not AbortSignal.timeout within AbortSignal.any: on Node 20 the collector takes both away, and nothing ever aborts.
  const limit = setTimeout(() => end.abort(`not done after ${RUN_LIMIT_MS / 1_000} s`), RUN_LIMIT_MS);
  // Clearing up has limits of its own; should one of them not hold, the exit takes workers and broker along.
  end.signal.addEventListener('abort', () => setTimeout(() => process.exit(1), CLEAR_UP_MS).unref());
  try {
    return await runFleet(broker.url, end.signal);
  } finally {
    clearTimeout(limit);
  }
}

async function runFleet(url: string, end: AbortSignal): Promise<number> {
  await using folder = await makeFolder();
  await using namespace = makeNamespace(url);
  const files = new Map(RESOURCES.map((name) => [name, new SharedFile(folder.path, name)]));
  for (const file of files.values()) file.create();

  const jobs = planJobs();
  let screen: Screen | undefined;
  const faults = new Faults(() => fleet);
  await using fleet = new Fleet({
    workers: WORKERS,
    jobs,
    env: {
      BATON_URL: url,
      DEMO_FOLDER: folder.path,
      DEMO_NAMESPACE: namespace.name,
      DEMO_WITHOUT_LOCK: withoutLock ? '1' : '',
    },
    onEvent: (event) => {
      screen?.onEvent(event);
      faults.onEvent(event);
    },
    isBusy: () => faults.isBusy(),
  });
  say(`Starting ${WORKERS.length} workers for ${JOBS} jobs on ${RESOURCES.length} shared files …\n`);
  await untilAborted(end, fleet.start());
  const startedAt = now();
  const scene = { workers: WORKERS, resources: RESOURCES, jobs: JOBS, events: fleet.events, startedAt };
  screen = openScreen(process.stdout, () => ({ ...scene, now: now() }));
  try {
    await untilAborted(end, fleet.run());
  } finally {
    screen.close();
  }

  const states = [...files].map(([name, file]): [string, FileState] => [
    name,
    { value: file.value(), journal: file.journal() },
  ]);
  const outcome: Outcome = { jobs, files: new Map(states), events: fleet.events };
  const findings = check(outcome);
  say(`\n${summarise(outcome, findings, now() - startedAt).join('\n')}\n`);
  return findings.length === 0 ? 0 : 1;
}

/** Waits no longer than the signal allows. What the promise belongs to is ended by the disposals that follow. */
async function untilAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', onAbort));
}

async function makeFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'batonmq-demo-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A namespace for this run alone. Lock queues are durable, and the broker may be somebody's own: they go again. */
function makeNamespace(url: string): AsyncDisposable & { readonly name: string } {
  const name = `demo-${randomBytes(6).toString('hex')}`;
  const removeQueues = async (): Promise<void> => {
    const session = await connectSession(url, parseConnectOptions({ service: 'demo-cleanup' }));
    await Promise.all(RESOURCES.map((resource) => session.remove(lockQueueName(name, resource))));
    await session.close(1_000);
  };
  return {
    name,
    [Symbol.asyncDispose]: () =>
      removeQueues().catch((error: unknown) => {
        console.error(`The queues of namespace ${name} are left at the broker: ${error}`);
      }),
  };
}

const end = new AbortController();
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // The second time at once; the broker and the workers end with this process in any case.
    if (interrupted) process.exit(INTERRUPTED);
    interrupted = true;
    end.abort('interrupted');
  });
}
try {
  process.exitCode = await runDemo(end);
} catch (error) {
  console.error('\nThe demo did not finish:', error);
  process.exitCode = interrupted ? INTERRUPTED : 1;
}
// Timers of a run that was cut short may be left; everything that matters has been disposed of.
process.exit();
