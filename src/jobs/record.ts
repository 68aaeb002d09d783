import { z } from 'zod';
import type { StateSchema } from '../state.ts';

/** The memory of a job, which travels with its lock. Instants are milliseconds since 1970. */
export interface JobRecord {
  v: 1;
  /** Every tick up to this one is done or dropped; 0 is none. */
  done: number;
  /** The last run. While a run is under way it is known only with at-most-once. */
  last?: LastRun | undefined;
}

export interface LastRun {
  tick: number;
  /** service@host/pid */
  by: string;
  fence: string;
  startedAt: number;
  /** Absent while the run lasts, and for good if its worker died. */
  tookMs?: number | undefined;
  outcome: 'started' | 'done' | 'failed';
  /** What `baton run` ended with: that of its command, or 128 + n. */
  exitCode?: number | undefined;
  /** That killed the command. */
  signal?: string | undefined;
}

/** Later than this is no date. */
const LAST_DATE = 8.64e15;
const ms = z.int().nonnegative().max(LAST_DATE);

export const jobRecordSchema: StateSchema<JobRecord> = z.object({
  v: z.literal(1),
  done: ms,
  last: z
    .object({
      tick: ms,
      by: z.string().max(400),
      fence: z.string(),
      startedAt: ms,
      tookMs: ms.optional(),
      outcome: z.enum(['started', 'done', 'failed']),
      exitCode: z.int().optional(),
      signal: z.string().max(20).optional(),
    })
    .optional(),
});
