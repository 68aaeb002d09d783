import { lockQueueArguments, lockQueueName } from '../../../src/protocol/queues.ts';
import type { Build } from './settings.ts';

export const NAMESPACE = 'fault';

/** The queue of a lock, which the faults delete, purge and put policies on. */
export function queueOf(build: Build, lock: string): string {
  return build === 'baton' ? lockQueueName(NAMESPACE, lock) : `naive.${lock}`;
}

export const NAIVE_ARGUMENTS = {
  'x-queue-type': 'quorum',
  'x-single-active-consumer': true,
};

export const argumentsOf = (build: Build): Record<string, string | number | boolean> =>
  build === 'baton' ? lockQueueArguments() : NAIVE_ARGUMENTS;
