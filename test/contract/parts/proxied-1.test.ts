import { runContract } from '../contract.ts';
import { proxied } from '../harness/rabbitmq.ts';
import { beside, part } from '../parts.ts';

runContract(proxied, part(beside, 1, 3));
