import type { Instant } from '../../../../src/protocol/instant.ts';
import type { Recreation } from '../../../../src/protocol/queues.ts';
import { NOW } from './fixtures.ts';

/** A rule of the protocol was broken; the message says which. */
export class Violation extends Error {}

export function rule(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Violation(what);
}

/** One process: what its contenders share. */
export interface Process extends Recreation {
  now: Instant;
  highestSeen: bigint;
  ranLately: boolean;
  justReleased: boolean;
  queueEndedAt: number | undefined;
}

export function newProcess(recreation: Recreation): Process {
  return {
    now: NOW,
    highestSeen: 0n,
    ranLately: true,
    justReleased: false,
    queueEndedAt: undefined,
    ...recreation,
  };
}
