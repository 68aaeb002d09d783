import { parseConnectOptions } from '../../src/options.ts';
import type { GrantMode } from '../../src/protocol/grant-mode.ts';
import type { ExceptionName } from './checks/state.ts';
import type { Version } from './model/index.ts';

/** What may go wrong, one scheduler step each. */
export type Fault =
  | 'crash' // a process is killed
  | 'pause' // a process stands still, its machine does not
  | 'suspend' // a machine is suspended: its monotonic clock stops
  | 'clock' // a wall clock is set
  | 'stuck-publish' // what a client publishes lets wait for itself
  | 'stall' // a line between a client and its node lets nothing through for a while
  | 'reset' // a connection is reset, and both ends see it
  | 'half-dead' // the broker sees a connection die, and the client does not
  | 'flap' // the link of a node drops and comes back at once
  | 'cut' // the link of a node lets nothing through for a while
  | 'leader' // another node leads
  | 'restart' // a node restarts
  | 'alarm' // publishes are not taken for a while
  | 'purge' // an operator or a policy destroys what is ready
  | 'purge-new' // somebody purges a token that was just put there in the place of another one
  | 'limit' // a delivery-limit policy destroys what is returned next
  | 'delete' // an operator deletes the queue
  | 'second-seed' // somebody publishes a token of his own (a seed that was stuck, a script)
  | 'stale-seed' // one that was stuck for two minutes lands
  | 'junk' // somebody publishes what nobody can read
  | 'lazy-close'; // an operator closes a channel

/** One kind of world to explore. */
export interface Config {
  readonly name: string;
  readonly version: Version;
  readonly nodes: number;
  readonly clients: number;
  /** `acquire` calls of one process at the same time. */
  readonly contenders: number;
  readonly grant: GrantMode;
  /** The lock carries state. Then purges, deletions, junk and other leaders concern either queue. */
  readonly state?: boolean;
  /** How often the entry of a prepared register has come back already, and how many of them are handed out at a time. */
  readonly entryReturns?: number;
  readonly prefetch?: number;
  /** How many saves one hold makes at most. Default: 3. */
  readonly maxSaves?: number;
  readonly faults: readonly Fault[];
  /** How many faults one run has at most, and how many `acquire` calls one process makes. */
  readonly maxFaults: number;
  readonly maxAcquires: number;
  /** The longest time for which a line lets nothing through, in milliseconds; beyond a frame's flight it is a fault. */
  readonly longestStallMs: number;
  /** What the queue holds at the beginning, when it is there and known to all. */
  readonly prepared?: 'token' | 'older seed behind' | 'older seed on its way' | 'foreign message';
  /** What a user may do beyond acquiring, saving and releasing. Who keeps a lock releases it only when faults have ended. */
  readonly users?: readonly ('try' | 'give-up' | 'verify' | 'write' | 'shutdown' | 'keep' | 'pass-on')[];
  /** How often the token of a prepared lock has come back already. */
  readonly returns?: number;
  /** The ends of promises that may be met here; every other one is a violation. */
  readonly allows?: readonly ExceptionName[];
  /** How many steps a random run has before its faults end. Default: 600. */
  readonly runSteps?: number;
  /** How likely a fault is at each step, from 0 to 1. Default: drawn for each run, 0.005 to 0.105. */
  readonly faultRate?: number;
  /** In the phase without faults somebody publishes what nobody can read, so often. */
  readonly chatterMs?: number;
  /** In the phase without faults one more such message lands whenever somebody has one in hand and nothing is ready. */
  readonly flood?: boolean;
  /** Every process has seen a token of this lock, also after a crash. */
  readonly veterans?: boolean;
  /** Nobody goes without releasing here, so nobody may have to wait for the end of a lease. */
  readonly noDelays?: boolean;
  /** When faults have ended, callers give up after so long and come again. */
  readonly patienceMs?: number;
  /** How many of the clients may not publish. */
  readonly readers?: number;
  /** Nothing takes a token away here, so there is one at any time. */
  readonly keepsToken?: boolean;
  /** How soon everybody has been granted when faults have ended. Default: 200,000. */
  readonly healsWithinMs?: number;
  /** For which reasons a lease may be lost here; for any when left out. */
  readonly losses?: readonly string[];
}

/** What a process knows of the lock when it starts. */
export const knowledgeIn = ({ veterans }: Config): { highestSeen: bigint } => ({
  highestSeen: veterans ? 1n : 0n,
});

/** The defaults of the product. Time is free in a simulation, so nothing is scaled. */
const { leaseMs, verifyEveryMs, healAfterMs } = parseConnectOptions({});

export const TIMES = { leaseMs, verifyEveryMs, healAfterMs, heartbeatMs: 10_000 };

export const VERSION_NUMBERS = {
  '3.10': [3, 10, 8],
  '4.0': [4, 0, 5],
  '4.3': [4, 3, 6],
} as const satisfies Record<Version, readonly [number, number, number]>;

export const LOCK = 'jobs';
