import { cases } from '../cases/index.ts';
import { runContract } from '../contract.ts';
import { memory } from '../harness/memory.ts';
import { part } from '../parts.ts';

runContract(memory, part(cases, 2, 2));
