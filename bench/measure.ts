import { cpus, release, totalmem } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { type Ground, lockName } from './ground.ts';
import type { Options } from './options.ts';
import type { Peer } from './peers/peer.ts';
import type { Results, Sample } from './sample.ts';
import { type Case, RuleSkippedError, type Scenario } from './scenarios/scenario.ts';

const HOP_MS = 400;
/** Far longer than any slice takes. */
const SLICE_LIMIT_MS = 5 * 60_000;
/** A slice that took longer is worth a line. */
const LONG_MS = 8_000;

type Log = (line: string) => void;

/** All runs, interleaved: run, scenario, case, peer. */
export async function measureAll(options: Options, ground: Ground, log: Log): Promise<Results> {
  const measuring = new Measuring(options, ground, log);
  for (let run = 1; run <= options.runs; run += 1) {
    for (const scenario of options.scenarios) {
      for (const it of casesOf(scenario, run, options)) await measuring.measureCase(run, scenario, it);
    }
  }
  return {
    at: new Date().toISOString(),
    package: ground.package,
    machine: machine(),
    servers: Object.fromEntries([...ground.servers].map(([id, { version }]) => [id, version])),
    seconds: options.seconds,
    runs: options.runs,
    samples: measuring.samples,
    failures: measuring.failures,
  };
}

const casesOf = (scenario: Scenario, run: number, { quick, cases }: Options): Case[] =>
  scenario.cases.filter(
    (it) => cases.includes(it.id) && !(quick && it.slow) && run <= (scenario.runsOf?.(it) ?? run),
  );

class Measuring {
  readonly samples: Sample[] = [];
  readonly failures: string[] = [];
  readonly #options: Options;
  readonly #ground: Ground;
  readonly #log: Log;

  constructor(options: Options, ground: Ground, log: Log) {
    this.#options = options;
    this.#ground = ground;
    this.#log = log;
  }

  async measureCase(run: number, scenario: Scenario, it: Case): Promise<void> {
    const { runs, quick } = this.#options;
    this.#log(`run ${run} of ${runs}${quick ? ' (quick)' : ''}, ${scenario.letter}: ${it.title}`);
    for (const server of this.#ground.servers.keys()) {
      if (!server.startsWith('rabbitmq')) continue;
      const hopMs = await this.#ground.hop(server, HOP_MS);
      this.samples.push({ run, scenario: 'hop', case: it.id, peer: server, figures: { hopMs } });
    }
    const peers = this.#options.peers.filter(
      (peer) => (peer.scenarios?.includes(scenario.id) ?? true) && !scenario.leavesOut?.(peer, it),
    );
    const slices = rotated(peers, run - 1).map((peer) => () => this.#measure(run, scenario, it, peer));
    if (scenario.together) await Promise.all(slices.map((slice) => slice()));
    else for (const slice of slices) await slice();
  }

  async #measure(run: number, scenario: Scenario, it: Case, peer: Peer): Promise<void> {
    const { quick, seconds } = this.#options;
    const startedAt = performance.now();
    const over = new AbortController();
    try {
      const measured = scenario.measure({
        peer,
        crew: this.#ground.crew(peer),
        server: this.#ground.server(peer.server),
        case: it,
        quick,
        ms: seconds * 1_000,
        lock: lockName(),
        log: this.#log,
      });
      const late = pause(SLICE_LIMIT_MS, undefined, { signal: over.signal }).then(() => {
        throw new Error(`no figures within ${SLICE_LIMIT_MS} ms`);
      });
      const figures = await Promise.race([measured, late]);
      this.samples.push({ run, scenario: scenario.id, case: it.id, peer: peer.id, figures });
    } catch (error) {
      // Without its rules batonmq is not what is to be measured: nothing else is worth the time.
      if (error instanceof RuleSkippedError) throw error;
      this.#ground.dismiss(peer);
      const failure = `${peer.id}, ${it.title}, run ${run}: ${String(error).split('\n')[0]}`;
      this.failures.push(failure);
      this.#log(`failed: ${failure}`);
    } finally {
      over.abort();
    }
    const tookMs = performance.now() - startedAt;
    if (tookMs > LONG_MS) this.#log(`  ${peer.id}: ${Math.round(tookMs / 1_000)} s`);
  }
}

/** Each run begins with another peer. */
function rotated<T>(items: readonly T[], by: number): T[] {
  const at = items.length === 0 ? 0 : (by * 3) % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

function machine(): string {
  const [first] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} x ${first?.model ?? 'unknown'}, ${memory} GiB, Linux ${release()}, Node ${process.version}`;
}
