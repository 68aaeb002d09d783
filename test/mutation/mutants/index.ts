import type { ContractMutant, Mutant, SimulationMutant } from '../mutant.ts';
import { DELAYS } from './delays.ts';
import { OTHERS } from './others.ts';
import { protocolMutants } from './protocol.ts';
import { registerMutants } from './register.ts';
import { REPLACED_TOKENS } from './replaced-tokens.ts';
import { replacingMutants } from './replacing.ts';
import { STATE } from './state.ts';
import { TRAPS } from './traps.ts';
import { wireMutants } from './wire.ts';

/** Every rule that is broken on purpose. */
export const MUTANTS: readonly Mutant[] = [
  ...wireMutants,
  ...protocolMutants,
  ...registerMutants,
  ...replacingMutants,
  ...TRAPS,
  ...DELAYS,
  ...STATE,
  ...REPLACED_TOKENS,
  ...OTHERS,
];

export const isOfContract = (mutant: Mutant): mutant is ContractMutant => 'harness' in mutant.caughtBy;
export const isOfSimulation = (mutant: Mutant): mutant is SimulationMutant => 'worlds' in mutant.caughtBy;
