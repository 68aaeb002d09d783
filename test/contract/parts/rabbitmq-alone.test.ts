import { runContract } from '../contract.ts';
import { rabbitmq } from '../harness/rabbitmq.ts';
import { alone } from '../parts.ts';

runContract(rabbitmq, alone);
