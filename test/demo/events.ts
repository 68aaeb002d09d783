/** What the processes of the demo tell each other. Everything here crosses IPC as JSON. */

/** One read-modify-write of a shared file under the lock of the same name. */
export interface Job {
  readonly id: string;
  readonly resource: string;
  /** Added to the resource's value. */
  readonly amount: number;
  /** Pauses between reading and writing, in milliseconds: long enough for an overlap to do harm. */
  readonly pauses: readonly number[];
}

/**
 * `working`: the file has accepted the fence and the value has been read. `releasing`: the job is in the file, and
 * release is called next. `late-…`: what became of the write of a worker that had lost its lease.
 */
export type WorkerStep =
  | 'waiting'
  | 'granted'
  | 'working'
  | 'releasing'
  | 'done'
  | 'lost'
  | 'late-refused'
  | 'late-accepted';

/** What the parent does to a worker. */
export type Fault = 'killed' | 'frozen' | 'continued';

export interface DemoEvent {
  readonly type: WorkerStep | Fault;
  /** On the clock of {@link now}. */
  readonly at: number;
  readonly worker: string;
  readonly job: string;
  readonly resource: string;
  /** Decimal; from the grant on. */
  readonly fence?: string;
  /** Why the lease was lost. */
  readonly reason?: string;
}

export type ToWorker =
  | { readonly type: 'job'; readonly job: Job }
  /** Do what a program does that never looks at its lease: write although it is lost. */
  | { readonly type: 'late-write' }
  /** A worker that stands still, and would without end if the parent were killed meanwhile. */
  | { readonly type: 'frozen'; readonly pid: number }
  | { readonly type: 'leave' };

export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'event'; readonly event: DemoEvent }
  | { readonly type: 'failed'; readonly error: string };

/**
 * Milliseconds on the machine's monotonic clock. It counts from boot, so it is the same in every process, and unlike
 * performance.timeOrigin it does not differ between processes when somebody sets the wall clock.
 */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export function byTime(events: readonly DemoEvent[]): DemoEvent[] {
  return events.toSorted((a, b) => a.at - b.at);
}
