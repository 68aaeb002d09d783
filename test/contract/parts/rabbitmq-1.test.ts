import { runContract } from '../contract.ts';
import { rabbitmq } from '../harness/rabbitmq.ts';
import { beside, part } from '../parts.ts';

runContract(rabbitmq, part(beside, 1, 3));
