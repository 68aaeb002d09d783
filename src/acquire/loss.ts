import { LeaseLostError, type LostReason } from '../errors.ts';

const EXPLAINED: Record<LostReason, string> = {
  'verification-timeout': 'the broker did not confirm the hold within leaseMs',
  superseded: 'the broker had taken the token back, and somebody else may have been granted',
  'connection-closed': 'the connection to the broker was closed',
  'channel-closed': 'the broker closed the channel',
  'queue-deleted': 'the lock queue was deleted',
  'consumer-cancelled': 'the broker cancelled the consumer',
  'coordinator-closed': 'the coordinator was closed while the lock was held',
  'clock-jump': 'the wall clock moved past the end of the lease, or the machine was suspended',
};

/** The error with which a lease tells its loss. */
export function lossOf(lock: string, reason: LostReason, cause: unknown): LeaseLostError {
  return new LeaseLostError(`lost lock ${JSON.stringify(lock)}: ${EXPLAINED[reason]}`, { reason, cause });
}
