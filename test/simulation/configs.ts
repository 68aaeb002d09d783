import type { ExceptionName } from './checks/state.ts';
import type { Config, Fault } from './config.ts';
import { REPLACED } from './replacing-configs.ts';

const USERS = ['try', 'give-up', 'verify', 'write', 'shutdown', 'pass-on'] as const;
/** A frame's flight on a healthy line, at most. */
const FLIGHT_MS = 10;

export const base = {
  version: '4.0',
  nodes: 1,
  clients: 3,
  contenders: 2,
  grant: 'auto',
  maxFaults: 40,
  maxAcquires: 80,
  longestStallMs: 60_000,
  users: USERS,
} as const satisfies Partial<Config>;

const random = (
  name: string,
  faults: readonly Fault[],
  more: Partial<Config> & { allows: readonly ExceptionName[] },
) => ({
  ...base,
  name,
  faults,
  ...more,
});

const withState = (...[name, faults, more]: Parameters<typeof random>) =>
  random(`state: ${name}`, faults, { ...more, state: true });

const PROCESSES: readonly Fault[] = ['crash', 'pause', 'suspend'];
const LINES: readonly Fault[] = ['stall', 'reset', 'half-dead', 'restart', 'lazy-close'];
const DESTRUCTION: readonly Fault[] = ['purge', 'limit', 'second-seed', 'junk', 'alarm'];
const NODES: readonly Fault[] = ['flap', 'cut', 'leader'];
const DELETION: readonly Fault[] = ['delete', 'stall', 'second-seed', 'crash'];
const MOST: readonly Fault[] = [...PROCESSES, ...LINES, ...DESTRUCTION, 'delete', 'clock'];

const OLD_SEEDS: readonly ExceptionName[] = [
  'token destroyed, older seed alive',
  'queue deleted, older seed stuck',
  'token made anew, older seed stuck',
];
export const TOLD: readonly ExceptionName[] = ['deleted while held', 'connection ended by the broker'];

export const FLAPPED: readonly ExceptionName[] = [
  'link dropped, nobody told',
  'old delivery taken for the answer',
];
const CLOSED = ['coordinator-closed'];
const WOKEN: ExceptionName = 'suspended, and its clock set back';

/** With these nobody is granted before the lease of a holder that went without releasing is over. */
export const VERIFIED = { version: '4.3', grant: 'verified' } as const;
const DESTROYED: ExceptionName = 'token destroyed after it was taken back';

export const LATE: ExceptionName = 'late save reached one who left';

/** The same with state. */
const STATE: readonly Config[] = [
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

/** Worlds in which many long runs are drawn by chance. */
export const RANDOM: readonly Config[] = [
  random('healthy', ['stall', 'crash'], { longestStallMs: FLIGHT_MS, allows: [], losses: CLOSED }),
  random('healthy, 3.10', ['stall', 'crash'], {
    version: '3.10',
    longestStallMs: FLIGHT_MS,
    allows: [],
    losses: CLOSED,
  }),
  random('processes', PROCESSES, { allows: [] }),
  random('processes, 4.3', PROCESSES, { version: '4.3', allows: [] }),
  random('lines', LINES, { allows: ['connection ended by the broker'] }),
  random('lines, 4.3', [...LINES, ...PROCESSES], {
    version: '4.3',
    allows: ['connection ended by the broker', 'immediate grant of an old delivery'],
  }),
  random('clocks', ['clock', ...PROCESSES], { allows: [WOKEN] }),
  random('clocks, one holder', ['clock', 'stall'], {
    clients: 2,
    contenders: 1,
    longestStallMs: FLIGHT_MS,
    users: ['verify'],
    prepared: 'token',
    faultRate: 0.15,
    runSteps: 200,
    allows: [],
  }),
  random('clocks and deletion', ['clock', 'delete', 'crash'], {
    allows: [...TOLD, ...OLD_SEEDS, 'clock behind at a new token', WOKEN],
  }),
  random('destruction', DESTRUCTION, { allows: OLD_SEEDS }),
  random('destruction among strays', ['purge', 'limit', 'junk'], { chatterMs: 900, allows: OLD_SEEDS }),
  random('deletion', DELETION, { allows: [...TOLD, ...OLD_SEEDS] }),
  random('deletion, 3.10', DELETION, { version: '3.10', allows: [...TOLD, ...OLD_SEEDS] }),
  random('deletion, 4.3', DELETION, { version: '4.3', allows: [...TOLD, ...OLD_SEEDS] }),
  random('long log', ['crash', 'stall', 'second-seed'], {
    prepared: 'token',
    returns: 100_000,
    longestStallMs: FLIGHT_MS,
    allows: [],
  }),
  random('long log, older seed', ['crash', 'stall'], {
    prepared: 'older seed behind',
    returns: 100_000,
    longestStallMs: FLIGHT_MS,
    allows: [],
  }),
  random('starting over, a flap', ['flap', 'junk'], {
    nodes: 2,
    clients: 2,
    contenders: 1,
    prepared: 'stray',
    runSteps: 60,
    faultRate: 0.1,
    users: [],
    allows: FLAPPED,
  }),
  random('cluster', NODES, { nodes: 3, allows: FLAPPED }),
  random('cluster and destruction', ['flap', 'flap', 'flap', 'limit', 'second-seed', 'purge'], {
    nodes: 3,
    allows: [...FLAPPED, ...OLD_SEEDS],
  }),
  random('two tokens', ['flap', 'limit', 'second-seed'], {
    nodes: 2,
    clients: 2,
    users: [],
    prepared: 'token',
    runSteps: 80,
    faultRate: 0.15,
    allows: [...FLAPPED, ...OLD_SEEDS],
  }),
  random('healthy, 4.3, verified', ['stall'], {
    ...VERIFIED,
    longestStallMs: FLIGHT_MS,
    users: ['try', 'give-up', 'verify', 'write', 'pass-on'],
    noDelays: true,
    allows: [],
    losses: [],
  }),
  random('processes, 4.3, verified', PROCESSES, { ...VERIFIED, allows: [] }),
  random('lines, 4.3, verified', [...LINES, ...PROCESSES], { ...VERIFIED, allows: [] }),
  random('clocks, 4.3, verified', ['clock', ...LINES, ...PROCESSES], { ...VERIFIED, allows: [WOKEN] }),
  random('impatience, 4.3, verified', ['crash', 'half-dead', 'reset'], {
    ...VERIFIED,
    users: ['try', 'give-up', 'write'],
    patienceMs: 5_000,
    allows: [],
  }),
  random('two in line, 4.3, verified', ['half-dead', 'lazy-close', 'crash'], {
    ...VERIFIED,
    clients: 2,
    contenders: 1,
    prepared: 'token',
    faultRate: 0.05,
    runSteps: 200,
    users: ['verify', 'give-up'],
    allows: [],
  }),
  random('cluster, 4.3, verified', [...NODES, ...LINES, ...PROCESSES], {
    ...VERIFIED,
    nodes: 3,
    allows: [],
  }),
  random('destruction, 4.3, verified', [...DESTRUCTION, ...LINES], {
    ...VERIFIED,
    allows: [...OLD_SEEDS, DESTROYED],
  }),
  random('veterans, 4.3, verified', ['delete', ...DESTRUCTION, ...LINES, 'crash'], {
    ...VERIFIED,
    veterans: true,
    allows: OLD_SEEDS,
  }),
  random('two veterans, 4.3, verified', ['delete', 'stall'], {
    ...VERIFIED,
    veterans: true,
    clients: 2,
    contenders: 1,
    prepared: 'token',
    returns: 10,
    faultRate: 0.1,
    runSteps: 120,
    users: ['keep', 'give-up'],
    allows: [],
  }),
  random('cluster, 4.3', NODES, {
    version: '4.3',
    nodes: 3,
    allows: ['link dropped, nobody told', 'immediate grant of an old delivery'],
  }),
  random('everything, 3.10', MOST, {
    version: '3.10',
    allows: [...TOLD, ...OLD_SEEDS, 'clock behind at a new token', WOKEN],
  }),
  random('everything', [...MOST, ...NODES], {
    nodes: 3,
    allows: [...TOLD, ...OLD_SEEDS, 'clock behind at a new token', WOKEN, ...FLAPPED],
  }),
  random('everything, 4.3', [...MOST, ...NODES], {
    version: '4.3',
    nodes: 3,
    allows: [
      ...TOLD,
      ...OLD_SEEDS,
      'clock behind at a new token',
      WOKEN,
      'link dropped, nobody told',
      'immediate grant of an old delivery',
    ],
  }),
  random('everything, 4.3, verified', [...MOST, ...NODES], {
    ...VERIFIED,
    nodes: 3,
    allows: ['deleted while held', DESTROYED, ...OLD_SEEDS, 'clock behind at a new token', WOKEN],
  }),
  random('local hand-off, 4.3, verified', [...PROCESSES, ...LINES], {
    ...VERIFIED,
    users: ['pass-on', 'verify'],
    allows: [],
  }),
  // Below 4.3 a return counts once, so that the fences of two returns are as near to each other as they can be.
  random('local hand-off', [...PROCESSES, ...LINES], {
    grant: 'immediate',
    users: ['pass-on', 'verify'],
    allows: ['connection ended by the broker', 'immediate grant of an old delivery', WOKEN],
  }),
  random('local hand-off in a cluster', NODES, {
    grant: 'immediate',
    nodes: 3,
    users: ['pass-on', 'verify'],
    allows: [...FLAPPED, 'immediate grant of an old delivery'],
  }),
  ...STATE,
  ...REPLACED,
];
