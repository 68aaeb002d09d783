import { cases } from './cases/index.ts';
import { runContract } from './contract.ts';
import { rabbitmq } from './harness/rabbitmq.ts';

runContract(rabbitmq, cases);
