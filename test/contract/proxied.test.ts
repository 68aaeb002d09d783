import { cases } from './cases/index.ts';
import { runContract } from './contract.ts';
import { proxied } from './harness/rabbitmq.ts';

runContract(proxied, cases);
