import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Postgres } from '../../support/postgres.ts';
import { DEFAULT_TIMES, Fleet, inspectLeft, Journal, queueOf } from '../fleet/index.ts';
import type { HistoryEventOf } from '../history.ts';
import { type Mended, repair } from '../nemesis/fault.ts';
import { Nemesis } from '../nemesis/nemesis.ts';
import { plan } from '../nemesis/plan.ts';
import { type Site, startSite } from '../site/index.ts';
import { Wire } from '../wire/wire.ts';
import { type RunOptions, upgradeAt } from './options.ts';

export interface RunEvents {
  step(what: string): void;
  struck(strike: Pick<HistoryEventOf<'struck'>, 'fault' | 'aim' | 'hit'>): void;
  problem(what: string): void;
}

/** How long the fleet may take to be granted every lock: at the start, and when all faults are over. */
const GRANT_MS = 120_000;
/** After that everybody goes on for a moment, in calm. */
const CALM_MS = 3_000;

/**
 * Brings up brokers, store and workers, lets the nemesis strike, ends every fault, waits for calm, and leaves the
 * complete history in `outDir`. Aborting the signal cuts the strikes short, not the rest.
 */
export async function runUnderFaults(
  options: RunOptions,
  events: RunEvents,
  signal: AbortSignal,
): Promise<void> {
  const {
    site: kind,
    release,
    build,
    grant,
    seed,
    minutes,
    slots,
    locks,
    outDir,
    calmMs = GRANT_MS,
  } = options;
  const cleanup: (() => Promise<unknown>)[] = [];
  try {
    await mkdir(outDir, { recursive: true });
    events.step(`starting RabbitMQ ${release}, ${kind}`);
    const site = await startSite(kind, release, events.step);
    cleanup.push(() => site.stop());
    cleanup.push(() => keepLogs(site, outDir));
    const store = await Postgres.start(events.step);
    cleanup.push(() => store.stop());
    const prefix = queueOf(build, '');
    const wire = await Wire.open({
      nodes: site.nodes.map(({ url }) => url),
      slots,
      lockOf: (queue) => (queue.startsWith(prefix) ? queue.slice(prefix.length) : undefined),
      verifies: build === 'baton',
    });
    cleanup.push(() => wire.close());
    const own = new Journal(join(outDir, 'run.jsonl'));
    const { version } = site;
    own.write({
      type: 'plan',
      version,
      site: kind,
      build,
      grant,
      seed,
      minutes,
      workers: slots,
      locks: [...locks],
      ...DEFAULT_TIMES,
    });
    events.step(`starting ${slots} workers`);
    const urlsFor = (slot: number): string[] => wire.urlsFor(slot);
    const fleet = await Fleet.start({
      urlsFor,
      slots,
      locks,
      build,
      grant,
      outDir,
      store: store.address,
      seed,
      options: DEFAULT_TIMES,
    });
    cleanup.push(() => fleet.stop());
    if (!(await fleet.calmGrants(GRANT_MS)))
      throw new Error('the workers were not granted every lock before any fault');

    const field = {
      site,
      fleet,
      wire,
      locks,
      queueOf: (lock: string) => queueOf(build, lock),
      repaired: (queue: string) => {
        own.write({ type: 'repaired', queue });
        events.step(`${queue} was lost with a node and not brought up by the broker: deleted`);
      },
      mended: ({ nodes, ...about }: Mended) => {
        own.write({ type: 'mended', ...about, nodes: [...nodes] });
        const where = nodes.join(', ');
        events.step(`${about.queue} had members of another history on ${where}: ${about.how}`);
      },
    };
    const nemesis = new Nemesis({
      field,
      journal: new Journal(join(outDir, 'nemesis.jsonl')),
      onStrike: events.struck,
      onProblem: events.problem,
    });
    const nodes = site.nodes.length;
    const steps = plan({ seed, kind, locks, slots, nodes, upgradeAt: upgradeAt(options) });
    const done = new AbortController();
    const end = (): void => done.abort();
    const timer = setTimeout(end, minutes * 60_000);
    // Not AbortSignal.any: Node 20 may collect what it returns, and then nothing ends.
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
    await nemesis.run(steps, done.signal);
    clearTimeout(timer);

    events.step('the faults are over');
    await site.network?.heal();
    await repair(field);
    own.write({ type: 'calm' });
    if (!(await fleet.calmGrants(calmMs)))
      events.step(`a lock was not granted within ${calmMs / 1_000} s of calm`);
    await pause(CALM_MS);
    await fleet.stop();
    const [first] = site.nodes;
    for (const left of await inspectLeft(first?.url ?? '', build, fleet.locksSeen())) own.write(left);
    for (const set of await fleet.finalSets()) own.write(set);
  } finally {
    for (let undo = cleanup.pop(); undo !== undefined; undo = cleanup.pop()) await undo();
  }
}

async function keepLogs({ nodes }: Site, outDir: string): Promise<void> {
  for (const [index, { logs }] of nodes.entries()) {
    await cp(logs, join(outDir, 'brokers', `n${index + 1}`), { recursive: true }).catch(() => {});
  }
}
