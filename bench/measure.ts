import { cpus, release, totalmem } from 'node:os';
import { type Ground, lockName } from './ground.ts';
import type { Options } from './options.ts';
import type { Peer } from './peers/peer.ts';
import type { Results, Sample } from './sample.ts';
import { type Case, RuleSkippedError, type Scenario } from './scenarios/scenario.ts';
import { Progress, type Stage, stagesOf } from './stages.ts';
import { Crew } from './workers/crew.ts';

const HOP_MS = 400;
/** Far longer than any slice takes. */
const SLICE_LIMIT_MS = 5 * 60_000;
/** A slice that took longer is worth a line. */
const LONG_MS = 8_000;

type Log = (line: string) => void;

/** All runs, interleaved: run, scenario, case, peer. */
export async function measureAll(options: Options, ground: Ground, log: Log): Promise<Results> {
  const measuring = new Measuring(options, ground, log);
  const stages = stagesOf(options);
  const progress = new Progress(stages);
  for (const stage of stages) {
    const { run, scenario, case: it } = stage;
    const left = Math.ceil(progress.left() / 60);
    log(`run ${run} of ${options.runs}, ${scenario.letter}: ${it.title} (${left} min left)`);
    const startedAt = performance.now();
    await measuring.measureCase(stage);
    progress.done(stage, (performance.now() - startedAt) / 1_000);
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

  async measureCase({ run, scenario, case: it, peers }: Stage): Promise<void> {
    for (const server of this.#ground.servers.values()) await server.renew?.();
    for (const server of this.#ground.servers.keys()) {
      if (!server.startsWith('rabbitmq')) continue;
      const hopMs = await this.#ground.hop(server, HOP_MS);
      this.samples.push({ run, scenario: 'hop', case: it.id, peer: server, figures: { hopMs } });
    }
    const slices = rotated(peers, run - 1).map((peer) => () => this.#measure(run, scenario, it, peer));
    if (scenario.together) {
      // None is left running when another one ends everything.
      const ends = await Promise.allSettled(slices.map((slice) => slice()));
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
    } else for (const slice of slices) await slice();
  }

  async #measure(run: number, scenario: Scenario, it: Case, peer: Peer): Promise<void> {
    const { quick, seconds } = this.#options;
    const startedAt = performance.now();
    const crews = new Crews(this.#ground.crew(peer));
    const limit = setTimeout(() => crews.stop(), SLICE_LIMIT_MS);
    try {
      const figures = await scenario.measure({
        peer,
        crew: crews.first,
        ownCrew: () => crews.add(new Crew(peer)),
        server: this.#ground.server(peer.server),
        case: it,
        quick,
        ms: seconds * 1_000,
        lock: lockName(),
        log: this.#log,
      });
      const sample = { run, scenario: scenario.id, case: it.id, peer: peer.id };
      if (figures instanceof Map) {
        for (const [part, each] of figures) this.samples.push({ ...sample, part, figures: each });
      } else this.samples.push({ ...sample, figures });
    } catch (error) {
      // Without its rules batonmq is not what is to be measured: nothing else is worth the time.
      if (error instanceof RuleSkippedError) throw error;
      this.#ground.dismiss(peer);
      const why = crews.stopped ? `no figures within ${SLICE_LIMIT_MS} ms` : String(error).split('\n')[0];
      const failure = `${peer.id}, ${it.title}, run ${run}: ${why}`;
      this.failures.push(failure);
      this.#log(`failed: ${failure}`);
    } finally {
      clearTimeout(limit);
    }
    const tookMs = performance.now() - startedAt;
    if (tookMs > LONG_MS) this.#log(`  ${peer.id}: ${Math.round(tookMs / 1_000)} s`);
  }
}

/**
 * The processes of a slice. A slice is not left alone with what it has started: when its time is over they are stopped,
 * which rejects whatever it awaits from them, so that it fails and ends its servers itself.
 */
export class Crews {
  readonly first: Crew;
  readonly #further: Crew[] = [];
  #stopped = false;

  constructor(first: Crew) {
    this.first = first;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  add(crew: Crew): Crew {
    this.#further.push(crew);
    if (this.#stopped) crew.stop();
    return crew;
  }

  stop(): void {
    this.#stopped = true;
    for (const crew of [this.first, ...this.#further]) crew.stop();
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
