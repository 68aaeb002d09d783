import type { ExceptionName } from './checks/state.ts';
import type { Config, Fault } from './config.ts';
import { base, FLAPPED, LATE, TOLD, VERIFIED } from './config-parts.ts';
import type { Bounds } from './explore/exhaustive.ts';

/** Small worlds with state. */
const SAVES = { state: true, maxSaves: 1 } as const;

const small = (
  name: string,
  faults: readonly Fault[],
  more: Partial<Config> & { allows: readonly ExceptionName[] },
  bounds: Partial<Bounds> = {},
): readonly [Config, Bounds] => [
  {
    ...base,
    name,
    faults,
    clients: 2,
    contenders: 1,
    maxFaults: 1,
    maxAcquires: 1,
    prepared: 'token',
    users: [],
    ...more,
  },
  { maxSteps: 200, maxStates: 60_000, horizonMs: 6_000, eager: true, ...bounds },
];

/** Small worlds in which every order of events is tried. */
export const EXHAUSTIVE: readonly (readonly [Config, Bounds])[] = [
  small('two clients', [], { allows: [] }, { eager: false, horizonMs: 16_000 }),
  small('three clients, a crash', ['crash'], { clients: 3, allows: [] }),
  small('a crash', ['crash'], { allows: [] }, { eager: false }),
  small('a second seed', ['second-seed'], { allows: [] }),
  small('a flap', ['flap'], { nodes: 2, allows: ['link dropped, nobody told'] }),
  small('two flaps', ['flap'], { nodes: 2, maxFaults: 2, allows: FLAPPED }),
  small('two flaps, 4.3', ['flap'], { version: '4.3', nodes: 2, maxFaults: 2, allows: [] }),
  small(
    'a half-dead line, 4.3, verified',
    ['half-dead'],
    { ...VERIFIED, allows: [] },
    { horizonMs: 34_000, maxStates: 30_000 },
  ),
  small(
    'a closed channel and a give-up, 4.3, verified',
    ['lazy-close'],
    { ...VERIFIED, users: ['give-up'], allows: [] },
    { horizonMs: 17_000, maxStates: 30_000 },
  ),
  small(
    'a deletion among veterans, 4.3, verified',
    ['delete'],
    { ...VERIFIED, veterans: true, returns: 10, allows: [] },
    { horizonMs: 17_000, maxStates: 30_000 },
  ),
  small('a cold start', [], { prepared: undefined, allows: [] }),
  small('a deletion', ['delete'], { allows: TOLD }),
  small('starting over together', ['crash'], { prepared: 'foreign message', allows: [] }),
  small('a long log', ['crash'], { returns: 100_001, version: '3.10', allows: [] }),
  small('a long log and an older seed', ['crash'], {
    prepared: 'older seed behind',
    returns: 100_001,
    allows: [],
  }),
  small('a long log and a second seed', ['second-seed', 'crash'], {
    returns: 100_001,
    maxFaults: 2,
    allows: [],
  }),
  small('a long log and a flap', ['flap'], {
    returns: 100_001,
    nodes: 2,
    allows: ['link dropped, nobody told'],
  }),
  small(
    'a stuck seed and a deletion',
    ['stuck-publish', 'delete'],
    {
      prepared: undefined,
      maxFaults: 2,
      allows: [...TOLD, 'queue deleted, older seed stuck'],
    },
    { horizonMs: 60, maxStates: 30_000 },
  ),
  small(
    'a clock and a deletion',
    ['clock', 'delete'],
    {
      maxFaults: 2,
      allows: [...TOLD, 'clock behind at a new token'],
    },
    { horizonMs: 60, maxStates: 30_000 },
  ),
  small('another leader', ['leader'], { nodes: 2, allows: [] }),
  small('a pause, 4.3', ['pause'], { version: '4.3', allows: [] }),
  small('local hand-off', [], { grant: 'immediate', users: ['pass-on'], allows: [] }, { horizonMs: 60 }),
  small('local hand-off, a crash', ['crash'], { users: ['pass-on'], allows: [] }, { horizonMs: 60 }),
  small(
    'local hand-off, a flap',
    ['flap'],
    { users: ['pass-on'], nodes: 2, allows: FLAPPED },
    { horizonMs: 60 },
  ),
  small('state: two clients', [], { ...SAVES, allows: [LATE] }),
  small('state: a crash', ['crash'], { ...SAVES, allows: [LATE] }, { horizonMs: 60 }),
  small('state: a flap', ['flap'], { ...SAVES, nodes: 2, allows: [LATE, ...FLAPPED] }, { horizonMs: 60 }),
];
