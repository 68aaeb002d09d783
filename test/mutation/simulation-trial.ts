/** Run in a copy of the repository: looks for a broken rule, and prints what it found as one line of JSON. */
import { parseArgs } from 'node:util';
import type { Violation } from '../simulation/checks/state.ts';
import type { Config } from '../simulation/config.ts';
import { RANDOM } from '../simulation/configs.ts';
import { explore } from '../simulation/explore/exhaustive.ts';
import { runOnce } from '../simulation/explore/random.ts';
import { EXHAUSTIVE } from '../simulation/small-configs.ts';

export interface Finding {
  readonly rule: string;
  readonly what: string;
  readonly world: string;
  /** Random: steps over all runs. Exhaustive: states that were seen before. */
  readonly after: number;
  /** The length of the way there; the shortest one when every order was tried. */
  readonly steps: number;
  readonly mode: 'random' | 'exhaustive';
}

const finding = ({ rule, message }: Violation, where: Omit<Finding, 'rule' | 'what'>): Finding => ({
  rule,
  what: message,
  ...where,
});

const ROUND_STEPS = 2_000;
const LAST_STEPS = 300_000;

/** Every world in turn, each for about as many steps. */
function byChance(configs: readonly Config[], limit: number): Finding | undefined {
  if (configs.length === 0) return undefined;
  let after = 0;
  for (let round = 1; after < limit; round += 1) {
    for (const config of configs) {
      for (let left = ROUND_STEPS, seed = round * 1_000; left > 0; seed += 1) {
        const { steps, violation } = runOnce(config, seed);
        left -= steps;
        after += steps;
        if (violation === undefined) continue;
        return finding(violation, { world: config.name, after, steps, mode: 'random' });
      }
    }
  }
  return undefined;
}

function inOrder(cases: typeof EXHAUSTIVE, maxStates: number): Finding | undefined {
  let after = 0;
  for (const [config, bounds] of cases) {
    const { violation, states, trace } = explore(config, { ...bounds, maxStates });
    after += states;
    if (violation === undefined) continue;
    return finding(violation, { world: config.name, after, steps: trace.length, mode: 'exhaustive' });
  }
  return undefined;
}

const { values } = parseArgs({
  options: {
    /** The names of the worlds to look in begin so. */
    world: { type: 'string' },
    /** Where it was found the last time: looked at before all others. */
    'last-world': { type: 'string' },
    'last-mode': { type: 'string' },
    steps: { type: 'string', default: '5000000' },
    states: { type: 'string', default: '1500' },
  },
});
const steps = Number(values.steps);
const maxStates = Number(values.states);

function whereItWasLast(): Finding | undefined {
  const isIt = ({ name }: Config) => name === values['last-world'];
  if (values['last-mode'] === 'exhaustive')
    return inOrder(
      EXHAUSTIVE.filter(([config]) => isIt(config)),
      maxStates,
    );
  return byChance(RANDOM.filter(isIt), LAST_STEPS);
}

function anywhere(): Finding | undefined {
  const first = RANDOM.filter(({ name }) => values.world !== undefined && name.startsWith(values.world));
  return first.length > 0
    ? byChance(first, steps)
    : (inOrder(EXHAUSTIVE, maxStates) ?? byChance(RANDOM, steps));
}

console.log(JSON.stringify(whereItWasLast() ?? anywhere() ?? null));
