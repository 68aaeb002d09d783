import type { ExceptionName } from './checks/state.ts';
import type { Config, Fault } from './config.ts';

/** What the worlds of replaced tokens have in common: the first release ends a long log, and runs are short. */
const REPLACING = {
  version: '4.0',
  nodes: 1,
  clients: 2,
  contenders: 2,
  grant: 'auto',
  prepared: 'token',
  returns: 100_001,
  runSteps: 150,
  faultRate: 0.05,
  maxFaults: 6,
  maxAcquires: 20,
  longestStallMs: 60_000,
  users: ['try', 'give-up', 'write', 'pass-on'],
} as const satisfies Partial<Config>;

const replacing = (
  name: string,
  faults: readonly Fault[],
  more: Partial<Config> & { allows: readonly ExceptionName[] },
): Config => ({ ...REPLACING, name: `replacing: ${name}`, faults, ...more });

const OLD_3 = { version: '3.10' } as const;
const LOST_LINE = {
  faultRate: 0.1,
  maxFaults: 1,
  healsWithinMs: 20_000,
  allows: ['connection ended by the broker'],
} as const;
const NODES = {
  nodes: 2,
  allows: ['link dropped, nobody told', 'old delivery taken for the answer'],
} as const;

/** Worlds in which the token is replaced, and something comes between. */
export const REPLACED: readonly Config[] = [
  replacing('publishes stuck', ['alarm', 'stuck-publish'], {
    keepsToken: true,
    healsWithinMs: 20_000,
    allows: [],
  }),
  replacing('publishes stuck, 3.10', ['alarm', 'stuck-publish'], { ...OLD_3, allows: [] }),
  replacing('who may not publish', ['junk', 'second-seed'], {
    readers: 1,
    keepsToken: true,
    healsWithinMs: 20_000,
    allows: [],
  }),
  replacing('who may not publish, 3.10', ['junk', 'second-seed'], {
    ...OLD_3,
    readers: 1,
    healsWithinMs: 20_000,
    allows: [],
  }),
  replacing('purged in between', ['purge-new'], {
    faultRate: 0.1,
    maxFaults: 1,
    healsWithinMs: 20_000,
    allows: [],
  }),
  replacing('purged in between, 3.10', ['purge-new'], {
    ...OLD_3,
    faultRate: 0.1,
    maxFaults: 1,
    healsWithinMs: 20_000,
    allows: [],
  }),
  replacing('an older seed on its way', ['crash', 'junk'], { prepared: 'older seed on its way', allows: [] }),
  replacing('an older seed on its way, 3.10', ['crash', 'junk'], {
    ...OLD_3,
    prepared: 'older seed on its way',
    // A long log of 3.x ends with no token for some milliseconds; a client that crashes then leaves its place to the older one.
    allows: ['token replaced, older seed stuck'],
  }),
  replacing('lines', ['stall', 'reset', 'half-dead', 'lazy-close', 'second-seed'], {
    allows: ['connection ended by the broker'],
  }),
  replacing('lines, 3.10', ['stall', 'reset', 'half-dead', 'lazy-close', 'second-seed'], {
    ...OLD_3,
    allows: ['connection ended by the broker'],
  }),
  replacing('a lost line', ['reset'], { ...LOST_LINE }),
  replacing('a lost line, 3.10', ['reset'], { ...OLD_3, ...LOST_LINE }),
  replacing('nodes', ['flap', 'leader', 'cut', 'crash'], { ...NODES }),
  replacing('nodes, 3.10', ['flap', 'leader', 'cut', 'crash'], { ...OLD_3, ...NODES }),
  replacing('a foreign message', ['alarm', 'stuck-publish', 'stall', 'junk', 'crash'], {
    prepared: 'foreign message',
    allows: [],
  }),
  replacing('a foreign message, 4.3, verified', ['alarm', 'stall', 'junk', 'crash', 'leader'], {
    version: '4.3',
    grant: 'verified',
    nodes: 2,
    prepared: 'foreign message',
    allows: [],
  }),
  replacing('state ahead', ['clock', 'delete', 'alarm', 'stall', 'crash'], {
    state: true,
    users: [],
    runSteps: 300,
    allows: [
      'late save reached one who left',
      'deleted while held',
      'connection ended by the broker',
      'clock behind at a new token',
      'suspended, and its clock set back',
      'token replaced, older seed stuck',
      'queue deleted, older seed stuck',
    ],
  }),
];
