import { runContract } from '../contract.ts';
import { proxied } from '../harness/rabbitmq.ts';
import { alone } from '../parts.ts';

runContract(proxied, alone);
