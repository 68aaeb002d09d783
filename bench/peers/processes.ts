import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Server } from './peer.ts';

/** A process and all that it started, by what /proc knows now. */
export async function withDescendants(pid: number): Promise<number[]> {
  const found = [pid];
  for (const parent of found) {
    const tasks = await readdir(`/proc/${parent}/task`).catch(() => []);
    for (const task of tasks) {
      const children = await readFile(`/proc/${parent}/task/${task}/children`, 'utf8').catch(() => '');
      found.push(...children.split(' ').filter(Boolean).map(Number));
    }
  }
  return found;
}

export interface ProcessUse {
  /** Memory of its own, and its share of what it shares. */
  readonly bytes: number;
  readonly cpuMs: number;
}

const TICK_MS = 10;

export async function useOf(pids: readonly number[]): Promise<ProcessUse> {
  const uses = await Promise.all(pids.map(useOfOne));
  return {
    bytes: uses.reduce((sum, { bytes }) => sum + bytes, 0),
    cpuMs: uses.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
  };
}

const CALM_PERCENT = 25;
const CALM_WITHIN_MS = 20_000;
const LOOK_MS = 200;

/** Resolves when a server has little to do, or after 20 s. */
export async function untilCalm(server: Server): Promise<void> {
  const deadline = performance.now() + CALM_WITHIN_MS;
  const cpuMs = async () => (await useOf(await server.pids())).cpuMs;
  for (let before = await cpuMs(); performance.now() < deadline; ) {
    await pause(LOOK_MS);
    const now = await cpuMs();
    if (((now - before) * 100) / LOOK_MS < CALM_PERCENT) return;
    before = now;
  }
}

async function useOfOne(pid: number): Promise<ProcessUse> {
  const [rollup, stat] = await Promise.all(
    ['smaps_rollup', 'stat'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')),
  );
  const kilobytes = Number(/^Pss:\s+(\d+)/m.exec(rollup ?? '')?.[1] ?? 0);
  // The second field is the name in parentheses, which may hold anything.
  const fields = (stat ?? '').slice((stat ?? '').lastIndexOf(')') + 2).split(' ');
  return { bytes: kilobytes * 1_024, cpuMs: (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_MS };
}
