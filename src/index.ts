export type { SessionState, SessionStateChange } from './broker/port.ts';
export { connect } from './connect.ts';
export type { Coordinator } from './coordinator.ts';
export type { LockTrace, SeedTrace, SessionTrace, StartOverTrace } from './diagnostics.ts';
export {
  AccessRefusedError,
  AcquireTimeoutError,
  BatonError,
  type BatonErrorCode,
  BrokerUnreachableError,
  ClosedError,
  InvalidOptionsError,
  isBatonError,
  LeaseLostError,
  type LostReason,
  QueueMismatchError,
  ResourceLimitError,
  StateError,
  TokenVersionError,
  UnsupportedBrokerError,
} from './errors.ts';
export type { ScheduleOptions } from './jobs/options.ts';
export type { AheadReport, RunReport, Schedule, ScheduledRun, ScheduledTask } from './jobs/schedule.ts';
export type { Lease } from './lease.ts';
export type { Lock, Task } from './lock.ts';
export type { Logger } from './logger.ts';
export type {
  AcquireOptions,
  CloseOptions,
  ConnectOptions,
  GrantMode,
  LockOptions,
  ReleaseOptions,
  SaveOptions,
  StatefulLockOptions,
} from './options.ts';
export type { StateSchema } from './state.ts';
export type { BrokerUrls, ExpiringUrls } from './urls.ts';
