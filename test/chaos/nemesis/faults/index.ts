import type { Site } from '../../site/types.ts';
import type { Fault } from '../fault.ts';
import { LINE_FAULTS } from './lines.ts';
import { NETWORK_FAULTS } from './network.ts';
import { NODE_FAULTS } from './nodes.ts';
import { QUEUE_FAULTS } from './queues.ts';
import { WORKER_FAULTS } from './workers.ts';

export const FAULTS: readonly Fault[] = [
  ...WORKER_FAULTS,
  ...LINE_FAULTS,
  ...QUEUE_FAULTS,
  ...NODE_FAULTS,
  ...NETWORK_FAULTS,
];

export const faultsOf = (kind: Site['kind']): Fault[] =>
  FAULTS.filter(({ site }) => site === undefined || site === kind);
