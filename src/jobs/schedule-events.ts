/** One run of this worker, as the events `done` and `failed` tell it. */
export interface RunReport {
  readonly tick: Date;
  readonly fence: bigint;
  readonly tookMs: number;
  /** What the task rejected with. */
  readonly error?: unknown;
}

/** The job is done up to an instant that is far ahead of this worker's clock. Nothing runs until then. */
export interface AheadReport {
  readonly doneUpTo: Date;
  readonly aheadMs: number;
}

export interface ScheduleEvents {
  done: [RunReport];
  failed: [RunReport];
  /** The lock cannot be used, or a tick not recorded. It goes on trying. */
  error: [unknown];
  ahead: [AheadReport];
  ended: [];
}
