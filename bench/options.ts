import { parseArgs } from 'node:util';
import { PEERS } from './peers/index.ts';
import type { Peer } from './peers/peer.ts';
import { SCENARIOS } from './scenarios/index.ts';
import type { Scenario } from './scenarios/scenario.ts';

export const HELP = `npm run bench -- [options]

  --only NAMES        peers, families or servers, with commas (default: all)
                      ${PEERS.map(({ id }) => id).join(' ')}
  --scenarios NAMES   with commas (default: all)
                      ${SCENARIOS.map(({ id, letter }) => `${id} (${letter})`).join(' ')}
  --cases NAMES       of the scenarios, with commas (default: all)
                      ${SCENARIOS.flatMap(({ cases }) => cases.map(({ id }) => id)).join(' ')}
  --brokers NAMES     releases of RabbitMQ, with commas: 3.10 is that of the machine (default: 3.10,4.3)
  --seconds N         length of a slice (default: 0.8)
  --runs N            figures are medians over these (default: 3)
  --quick             a smoke test: one run, A to C, few cases, a tenth of the locks, RabbitMQ of the
                      machine only; nothing is written unless --out is given
  --out FOLDER        where results.json, results.md and the charts go (default: bench/results; what the
                      documents link to is in evidence/bench)
  --help
`;

export interface Options {
  readonly peers: readonly Peer[];
  readonly scenarios: readonly Scenario[];
  /** By name. */
  readonly cases: readonly string[];
  readonly seconds: number;
  readonly runs: number;
  readonly quick: boolean;
  readonly out: string | undefined;
}

/** @throws Error with a sentence about the option that is wrong. */
export function parseOptions(args: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      scenarios: { type: 'string' },
      cases: { type: 'string' },
      brokers: { type: 'string' },
      seconds: { type: 'string', default: '0.8' },
      runs: { type: 'string' },
      quick: { type: 'boolean', default: false },
      out: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  const { quick } = values;
  const brokers = pick('--brokers', values.brokers ?? (quick ? '3.10' : undefined), ['3.10', '4.3'], (it) => [
    it,
  ]);
  const peers = pick('--only', values.only, PEERS, ({ id, family, server }) => [id, family, server]).filter(
    ({ server }) => !server.startsWith('rabbitmq-') || brokers.some((it) => server === `rabbitmq-${it}`),
  );
  const scenarios = pick('--scenarios', values.scenarios, SCENARIOS, ({ id, letter }) => [id, letter]).filter(
    ({ id }) => !quick || values.scenarios !== undefined || ['cycle', 'fresh', 'handoff'].includes(id),
  );
  const allCases = scenarios.flatMap(({ cases }) => cases.map(({ id }) => id));
  return {
    peers,
    scenarios,
    cases: pick('--cases', values.cases, allCases, (id) => [id]),
    seconds: positive('--seconds', values.seconds),
    runs: positive('--runs', values.runs ?? (quick ? '1' : '3')),
    quick,
    out: values.out ?? (quick ? undefined : 'bench/results'),
  };
}

function pick<T>(
  option: string,
  text: string | undefined,
  all: readonly T[],
  namesOf: (item: T) => string[],
): T[] {
  if (text === undefined) return [...all];
  const wanted = text.split(',');
  const known = new Set(all.flatMap(namesOf));
  const unknown = wanted.filter((name) => !known.has(name));
  if (unknown.length > 0)
    throw new Error(`${option}: ${unknown.join(', ')} is none of ${[...known].join(', ')}`);
  return all.filter((item) => namesOf(item).some((name) => wanted.includes(name)));
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${option} must be a number above 0, not ${text}`);
  return value;
}
