import type { ExceptionName } from './checks/state.ts';
import type { Config, Fault } from './config.ts';

export const USERS = ['try', 'give-up', 'verify', 'write', 'shutdown', 'pass-on'] as const;
/** A frame's flight on a healthy line, at most. */
export const FLIGHT_MS = 10;

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

export const random = (
  name: string,
  faults: readonly Fault[],
  more: Partial<Config> & { allows: readonly ExceptionName[] },
) => ({
  ...base,
  name,
  faults,
  ...more,
});

export const withState = (...[name, faults, more]: Parameters<typeof random>) =>
  random(`state: ${name}`, faults, { ...more, state: true });

export const PROCESSES: readonly Fault[] = ['crash', 'pause', 'suspend'];
export const LINES: readonly Fault[] = ['stall', 'reset', 'half-dead', 'restart', 'lazy-close'];
export const DESTRUCTION: readonly Fault[] = ['purge', 'limit', 'second-seed', 'junk', 'alarm'];
export const NODES: readonly Fault[] = ['flap', 'cut', 'leader'];
export const DELETION: readonly Fault[] = ['delete', 'stall', 'second-seed', 'crash'];
export const MOST: readonly Fault[] = [...PROCESSES, ...LINES, ...DESTRUCTION, 'delete', 'clock'];

export const OLD_SEEDS: readonly ExceptionName[] = [
  'token destroyed, older seed alive',
  'queue deleted, older seed stuck',
  'token replaced, older seed stuck',
];
export const TOLD: readonly ExceptionName[] = ['deleted while held', 'connection ended by the broker'];

export const FLAPPED: readonly ExceptionName[] = [
  'link dropped, nobody told',
  'old delivery taken for the answer',
];
export const CLOSED = ['coordinator-closed'];
export const WOKEN: ExceptionName = 'suspended, and its clock set back';

/** With these nobody is granted before the lease of a holder that went without releasing is over. */
export const VERIFIED = { version: '4.3', grant: 'verified' } as const;
export const DESTROYED: ExceptionName = 'token destroyed after it was taken back';

export const LATE: ExceptionName = 'late save reached one who left';
