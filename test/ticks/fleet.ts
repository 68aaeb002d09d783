import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, vi } from 'vitest';
import type { ScheduleOptions } from '../../src/index.ts';
import { sharedBroker } from '../support/broker/index.ts';
import { type Program, startProgram } from '../support/processes.ts';
import { clockAhead } from './fake-clock.ts';

const TICKS = 200;
const SECOND = 1_000;

/** One line of the job's own file. */
export interface Run {
  /** Milliseconds since 1970. */
  readonly tick: number;
  readonly pid: number;
}

/** A file that a job writes to, gone after the test. */
export async function outputFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'batonmq-ticks-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'runs');
  await writeFile(file, '');
  return file;
}

export async function readRuns(file: string): Promise<Run[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').slice(0, -1);
  return lines.map((line) => {
    const [tick = '', pid = ''] = line.split(' ');
    return { tick: Date.parse(tick), pid: Number(pid) };
  });
}

/** How often each tick was run. */
export function counted(runs: readonly Run[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { tick } of runs) counts.set(tick, (counts.get(tick) ?? 0) + 1);
  return counts;
}

export interface Outcome {
  readonly counts: ReadonlyMap<number, number>;
  /** Every tick from the first that was run to the last that was. */
  readonly range: readonly number[];
  /** In the middle of whose run a worker was stopped, and another one killed. */
  readonly stopped: number;
  readonly killed: number;
}

/**
 * Three workers with clocks a minute apart. The fastest is stopped in the middle of a run, until the next one by the clock
 * has run ticks; that one is killed in the middle of a run and comes again; the stopped one goes on. Until 200 ticks
 * have been run.
 */
export async function runTicks(semantics: ScheduleOptions['semantics']): Promise<Outcome> {
  const file = await outputFile();
  const ns = `ticks-${randomUUID().slice(0, 8)}`;
  const env = { TICKS_URL: sharedBroker().url, TICKS_NAMESPACE: ns, TICKS_FILE: file };
  const start = (aheadSeconds: number): Program => {
    const worker = startProgram(new URL('./worker.ts', import.meta.url), {
      env: { ...env, TICKS_SEMANTICS: semantics, ...clockAhead(aheadSeconds) },
    });
    onTestFinished(() => worker.kill().then(() => {}));
    return worker;
  };
  const runsOf = async ({ pid }: Program) => (await readRuns(file)).filter((run) => run.pid === pid);
  const hasRun = (worker: Program, count: number) =>
    until(async () => expect((await runsOf(worker)).length, worker.stderr).toBeGreaterThanOrEqual(count));
  const lastOf = async (worker: Program) => (await runsOf(worker)).at(-1)?.tick ?? Number.NaN;

  // First the fastest one: from the one who begins on, every tick is to be run.
  const fast = start(60);
  await hasRun(fast, 1);
  const slow = start(-60);
  const middle = start(0);
  await hasRun(fast, 20);
  await fast.send({ signal: 'SIGSTOP' });
  await until(async () => expect(await stateOf(fast.pid)).toBe('T'));
  const stopped = await lastOf(fast);
  await hasRun(middle, 20);
  await middle.send({ signal: 'SIGKILL' });
  expect((await middle.exit).signal).toBe('SIGKILL');
  const killed = await lastOf(middle);
  const again = start(0);
  await hasRun(again, 10);
  const sofar = (await runsOf(fast)).length;
  fast.cont();
  await hasRun(fast, sofar + 20);
  await until(async () => expect(counted(await readRuns(file)).size).toBeGreaterThanOrEqual(TICKS));
  await Promise.all([slow, again, fast].map((worker) => worker.kill()));

  const runs = await readRuns(file);
  const counts = counted(runs);
  const [first, last] = [Math.min(...counts.keys()), Math.max(...counts.keys())];
  const range = Array.from({ length: (last - first) / SECOND + 1 }, (_, index) => first + index * SECOND);
  console.log(
    `${semantics}: ${runs.length} runs of ${counts.size} ticks out of ${range.length}; by the fastest ${(await runsOf(fast)).length}, the middle one ${(await runsOf(middle)).length} and ${(await runsOf(again)).length}, the slowest ${(await runsOf(slow)).length}`,
  );
  return { counts, range, stopped, killed };
}

export const until = <T>(condition: () => Promise<T>): Promise<T> =>
  vi.waitFor(condition, { timeout: 300_000, interval: 100 });

/** `T` is stopped. */
async function stateOf(pid: number): Promise<string | undefined> {
  return (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /s, '')[0];
}
