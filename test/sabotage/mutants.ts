import type { Mutant } from './mutant.ts';
import { protocolMutants } from './protocol-mutants.ts';
import { registerMutants } from './register-mutants.ts';
import { replacingMutants } from './replacing-mutants.ts';
import { wireMutants } from './wire-mutants.ts';

export const mutants: readonly Mutant[] = [
  ...wireMutants,
  ...protocolMutants,
  ...registerMutants,
  ...replacingMutants,
];
