import { z } from 'zod';

const ms = z.int().nonnegative();

/** The memory of a job, which travels with its lock. */
export const jobRecordSchema = z.object({
  v: z.literal(1),
  /** Every tick up to this one is done or dropped, in milliseconds since 1970. */
  done: ms,
  /** The last run. While a run is under way it is known only with at-most-once. */
  last: z
    .object({
      tick: ms,
      /** service@host/pid */
      by: z.string().max(400),
      fence: z.string(),
      startedAt: ms,
      /** Absent while it runs, and for ever when its worker died. */
      tookMs: ms.optional(),
      outcome: z.enum(['started', 'done', 'failed']),
      /** Of a command. */
      exitCode: z.int().optional(),
    })
    .optional(),
});

export type JobRecord = z.infer<typeof jobRecordSchema>;
export type LastRun = NonNullable<JobRecord['last']>;
