/**
 * Runs the protocol of several clients against a model of RabbitMQ, under a scheduler that picks every step.
 *
 *     npm run test:simulation                                 a fixed list of seeds, a fresh one, and the small cases
 *     npm run test:simulation -- --seed 42                    one seed in every world
 *     npm run test:simulation -- --seed 42 --config cluster --trace   and what happened in it
 *     npm run test:simulation -- --steps 10000000             so many random steps
 *     npm run test:simulation -- --version 4.3                only worlds of that version
 *     npm run test:simulation -- --write                      and the tables of evidence/simulation
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { RANDOM } from './configs.ts';
import { runExhaustive } from './report/exhaustive.ts';
import { runRandom } from './report/random.ts';
import { writePage } from './report/table.ts';
import { EXHAUSTIVE } from './small-configs.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    steps: { type: 'string', default: '2000000' },
    config: { type: 'string' },
    version: { type: 'string' },
    trace: { type: 'boolean', default: false },
    mode: { type: 'string', default: 'both' },
    write: { type: 'boolean', default: false },
  },
});

const isWanted = ({ name, version }: { name: string; version: string }) =>
  (values.config === undefined || name === values.config) &&
  (values.version === undefined || version === values.version);

const WRITTEN =
  'Written by `npm run test:simulation -- --write`. What it means is in [docs/design/simulation.md](../../docs/design/simulation.md).';

/** These have been found to say something; a fresh one is added so that no two runs are the same. */
const SEEDS = [1, 2, 3, 5, 8, 13, 21, 34];

async function simulate(): Promise<boolean> {
  const { write, trace } = values;
  if (write && (values.seed ?? values.config ?? values.version) !== undefined)
    throw new Error('--write is of all worlds: leave --seed, --config and --version out');
  const seeds =
    values.seed === undefined ? [...SEEDS, ...(write ? [] : [randomInt(2 ** 31)])] : [Number(values.seed)];
  const worlds = RANDOM.filter(isWanted);
  const cases = EXHAUSTIVE.filter(([config]) => isWanted(config));
  let holds = true;
  if (values.mode !== 'exhaustive') {
    const steps = values.seed === undefined ? Number(values.steps) : undefined;
    const random = runRandom(worlds, { seeds, steps, trace });
    if (write) await writePage('random.md', `# Random runs\n\n${WRITTEN}`, random.rows);
    holds = random.holds;
  }
  if (values.mode !== 'random' && values.seed === undefined) {
    const exhaustive = runExhaustive(cases, trace);
    if (write) await writePage('exhaustive.md', `# Every order of events\n\n${WRITTEN}`, exhaustive.rows);
    holds = exhaustive.holds && holds;
  }
  return holds;
}

process.exitCode = (await simulate()) ? 0 : 1;
