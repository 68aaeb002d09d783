import { cases } from './cases/index.ts';
import { runContract } from './contract.ts';
import { memory } from './harness/memory.ts';

runContract(memory, cases);
