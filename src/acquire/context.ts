import type { Clock } from '../clock.ts';
import type { Settings } from '../options.ts';
import type { LockSession } from '../protocol/port.ts';
import type { ConsumerIdentity } from '../protocol/queues.ts';
import type { Ledger } from './lock-records.ts';
import type { Rounds } from './verification-schedule.ts';

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
