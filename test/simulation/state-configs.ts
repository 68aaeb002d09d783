import type { Config } from './config.ts';
import {
  CLOSED,
  DESTRUCTION,
  FLAPPED,
  FLIGHT_MS,
  LATE,
  LINES,
  MOST,
  NODES,
  OLD_SEEDS,
  PROCESSES,
  TOLD,
  VERIFIED,
  WOKEN,
  withState,
} from './config-parts.ts';

/** The same with state. */
export const STATE: readonly Config[] = [
  withState('healthy', ['stall', 'crash'], { longestStallMs: FLIGHT_MS, allows: [LATE], losses: CLOSED }),
  withState('processes', [...PROCESSES, 'clock'], { allows: [LATE, WOKEN] }),
  withState('lines', [...LINES, 'crash', 'alarm'], {
    version: '4.3',
    allows: [LATE, 'connection ended by the broker', 'immediate grant of an old delivery'],
  }),
  withState('lines, 4.3, verified', [...LINES, 'crash'], { ...VERIFIED, allows: [LATE] }),
  withState('cluster', NODES, { nodes: 3, allows: [LATE, ...FLAPPED] }),
  withState('flaps', ['flap', 'flap', 'leader', 'stuck-publish'], {
    nodes: 3,
    contenders: 1,
    faultRate: 0.1,
    runSteps: 120,
    prepared: 'token',
    users: [],
    allows: [LATE, ...FLAPPED],
  }),
  withState('flaps, prefetch 2', ['flap', 'crash', 'stall'], {
    nodes: 3,
    contenders: 1,
    prefetch: 2,
    faultRate: 0.1,
    runSteps: 200,
    prepared: 'token',
    users: [],
    allows: [LATE, ...FLAPPED],
  }),
  withState('deletion', ['delete', 'crash', 'stall', 'clock'], {
    allows: [LATE, ...TOLD, ...OLD_SEEDS, 'clock behind at a new token', WOKEN],
  }),
  withState('deletion, 3.10', ['delete', 'crash', 'stall'], {
    version: '3.10',
    allows: [LATE, ...TOLD, ...OLD_SEEDS],
  }),
  withState('destruction', DESTRUCTION, { allows: [LATE, ...OLD_SEEDS] }),
  withState('long holds', ['stall'], {
    longestStallMs: FLIGHT_MS,
    clients: 1,
    contenders: 1,
    users: ['keep'],
    prepared: 'token',
    entryReturns: 200,
    maxSaves: 0,
    runSteps: 900,
    allows: [],
  }),
  withState('everything', [...MOST, ...NODES], {
    nodes: 3,
    allows: [LATE, ...TOLD, ...OLD_SEEDS, 'clock behind at a new token', WOKEN, ...FLAPPED],
  }),
  withState('everything, 4.3', [...MOST, ...NODES], {
    version: '4.3',
    nodes: 3,
    allows: [
      LATE,
      ...TOLD,
      ...OLD_SEEDS,
      'clock behind at a new token',
      WOKEN,
      'link dropped, nobody told',
      'immediate grant of an old delivery',
    ],
  }),
];
