/** `npm run bench -- --help` */
import { cpus, release, totalmem } from 'node:os';
import { Ground, lockName } from './ground.ts';
import { HELP, type Options, parseOptions } from './options.ts';
import type { Peer } from './peers/peer.ts';
import { terminalTable, terminalTables } from './report/tables.ts';
import { targetTable } from './report/targets.ts';
import { writeDocs, writeReport } from './report/write.ts';
import type { Results, Sample } from './sample.ts';
import { type Case, RuleSkippedError, type Scenario } from './scenarios/scenario.ts';

const HOP_MS = 400;

const started = performance.now();
const log = (line: string): void => {
  const seconds = Math.round((performance.now() - started) / 1_000);
  console.error(
    `${String(Math.floor(seconds / 60)).padStart(2)}:${String(seconds % 60).padStart(2, '0')}  ${line}`,
  );
};

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') {
    console.log(HELP);
    return;
  }
  const ground = await Ground.prepare(options.peers, log);
  try {
    const results = await measureAll(options, ground);
    console.log(terminalTables(results));
    console.log(terminalTable(targetTable(results)));
    if (options.out !== undefined) await writeReport(results, options.out, log);
    if (options.docs) await writeDocs(results, log);
    if (results.failures.length > 0) process.exitCode = 1;
  } finally {
    await ground[Symbol.asyncDispose]();
  }
}

async function measureAll(options: Options, ground: Ground): Promise<Results> {
  const samples: Sample[] = [];
  const failures: string[] = [];
  for (let run = 1; run <= options.runs; run += 1) {
    for (const scenario of options.scenarios) {
      const cases = scenario.cases.filter(
        (it) => !(options.quick && it.slow) && run <= (scenario.runsOf?.(it) ?? run),
      );
      for (const it of cases) {
        log(`run ${run} of ${options.runs}, ${scenario.letter}: ${it.title}`);
        for (const server of ground.servers.keys()) {
          if (!server.startsWith('rabbitmq')) continue;
          const hopMs = await ground.hop(server, HOP_MS);
          samples.push({ run, scenario: 'hop', case: it.id, peer: server, figures: { hopMs } });
        }
        const peers = rotated(takingPart(options.peers, scenario, it), run - 1);
        const measure = async (peer: Peer): Promise<void> => {
          try {
            const figures = await scenario.measure({
              peer,
              crew: ground.crew(peer),
              server: ground.server(peer.server),
              case: it,
              ms: options.seconds * 1_000,
              lock: lockName(),
              log,
            });
            samples.push({ run, scenario: scenario.id, case: it.id, peer: peer.id, figures });
          } catch (error) {
            // Without its rules batonmq is not what is to be measured: nothing else is worth the time.
            if (error instanceof RuleSkippedError) throw error;
            failures.push(`${peer.id}, ${it.title}, run ${run}: ${String(error).split('\n')[0]}`);
            log(`failed: ${failures.at(-1)}`);
          }
        };
        if (scenario.together) await Promise.all(peers.map(measure));
        else for (const peer of peers) await measure(peer);
      }
    }
  }
  return {
    at: new Date().toISOString(),
    package: ground.package,
    machine: machine(),
    servers: Object.fromEntries([...ground.servers].map(([id, { version }]) => [id, version])),
    seconds: options.seconds,
    runs: options.runs,
    samples,
    failures,
  };
}

function takingPart(peers: readonly Peer[], scenario: Scenario, it: Case): Peer[] {
  return peers.filter(
    (peer) => (peer.scenarios?.includes(scenario.id) ?? true) && !scenario.leavesOut?.(peer, it),
  );
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

main().catch((error: unknown) => {
  console.error(error instanceof RuleSkippedError ? `\n${error.message}` : error);
  process.exitCode = 1;
});
