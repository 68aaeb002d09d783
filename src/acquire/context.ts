import type { Clock } from '../clock.ts';
import type { Settings } from '../options.ts';
import type { LockSession } from '../protocol/port.ts';
import type { ConsumerIdentity } from '../protocol/queues.ts';
import type { LockRecords } from './lock-records.ts';
import type { VerificationSchedule } from './verification-schedule.ts';

/** What a coordinator shares with its locks, contenders and leases. */
export interface Context {
  readonly settings: Settings;
  readonly session: LockSession;
  readonly clock: Clock;
  readonly records: LockRecords;
  readonly identity: ConsumerIdentity;
  readonly verifications: VerificationSchedule;
  /** Whether this process can show that it ran during the last second. */
  ranLately(): boolean;
}
