/**
 * Runs the protocol of several clients against a model of RabbitMQ, under a scheduler that picks every step.
 *
 *     npm run test:simulation                                 a fixed list of seeds, a fresh one, and the small cases
 *     npm run test:simulation -- --seed 42                    one seed in every world
 *     npm run test:simulation -- --seed 42 --config cluster --trace   and what happened in it
 *     npm run test:simulation -- --steps 10000000             so many random steps
 *     npm run test:simulation -- --version 4.3                only worlds of that version
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { RANDOM } from './configs.ts';
import { runExhaustive } from './report/exhaustive.ts';
import { runRandom } from './report/random.ts';
import { EXHAUSTIVE } from './small-configs.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    steps: { type: 'string', default: '2000000' },
    config: { type: 'string' },
    version: { type: 'string' },
    trace: { type: 'boolean', default: false },
    mode: { type: 'string', default: 'both' },
  },
});

const isWanted = ({ name, version }: { name: string; version: string }) =>
  (values.config === undefined || name === values.config) &&
  (values.version === undefined || version === values.version);

/** These have been found to say something; a fresh one is added so that no two runs are the same. */
const SEEDS = [1, 2, 3, 5, 8, 13, 21, 34];

function simulate(): boolean {
  const seeds = values.seed === undefined ? [...SEEDS, randomInt(2 ** 31)] : [Number(values.seed)];
  const worlds = RANDOM.filter(isWanted);
  const cases = EXHAUSTIVE.filter(([config]) => isWanted(config));
  let holds = true;
  if (values.mode !== 'exhaustive') {
    const steps = values.seed === undefined ? Number(values.steps) : undefined;
    holds = runRandom(worlds, { seeds, steps, trace: values.trace }) && holds;
  }
  if (values.mode !== 'random' && values.seed === undefined)
    holds = runExhaustive(cases, values.trace) && holds;
  return holds;
}

process.exitCode = simulate() ? 0 : 1;
