import type { Edit, SimulationMutant } from '../mutant.ts';

/** A mutant that the simulator must notice. */
interface Rule extends Omit<SimulationMutant, 'caughtBy'> {
  /** The worlds in which to look, by how their names begin, for what takes long to come about by chance. */
  readonly world?: string;
}

export const simulated = (rules: readonly Rule[]): SimulationMutant[] =>
  rules.map(({ world, ...rule }) => ({ ...rule, caughtBy: { worlds: world } }));

export const HOLDING = 'src/protocol/contender/holding.ts';
export const GRANTING = 'src/protocol/contender/granting.ts';
export const OPENING = 'src/protocol/contender/opening.ts';
export const TRANSITIONS = 'src/protocol/contender/transitions.ts';
export const QUESTIONS = 'src/protocol/contender/proof.ts';
export const DELAYING = 'src/protocol/contender/delaying.ts';
export const WAITING = 'src/protocol/contender/waiting.ts';
export const STEP = 'src/protocol/contender/step.ts';
export const FENCE = 'src/protocol/fence.ts';

export const one = (file: string, find: string, replace: string): readonly Edit[] => [
  { file, find, replace },
];
