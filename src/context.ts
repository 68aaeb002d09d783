import type { LockSession } from './broker/port.ts';
import type { Clock } from './clock.ts';
import type { Ledger } from './ledger.ts';
import type { Settings } from './options.ts';
import type { ConsumerIdentity } from './protocol/topology.ts';
import type { Rounds } from './rounds.ts';

/** What a coordinator shares with its locks, contenders and leases. */
export interface Context {
  readonly settings: Settings;
  readonly session: LockSession;
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly identity: ConsumerIdentity;
  readonly rounds: Rounds;
  /** Whether this process can show that it ran during the last second. */
  ranLately(): boolean;
}
