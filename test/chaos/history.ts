/**
 * The history of a run under faults: JSON lines, one file per process, written synchronously so that a SIGKILL loses
 * nothing. `at` is CLOCK_MONOTONIC in microseconds, which all processes of one machine share.
 */
import { z } from 'zod';

const base = { at: z.int().nonnegative() };
const worker = { ...base, who: z.string() };
const hold = { ...worker, lock: z.string(), fence: z.string().regex(/^\d+$/) };

/** What a worker process writes. `who` is new for each start of a process: w3-1, w3-2, … */
const WORKER_EVENTS = [
  z.object({ ...worker, type: z.literal('started'), pid: z.int(), build: z.enum(['baton', 'naive']) }),
  z.object({ ...worker, type: z.literal('acquiring'), lock: z.string() }),
  /** The caller has the lease. */
  z.object({ ...hold, type: z.literal('granted') }),
  /** The holder has just made sure (throwIfLost) that it still holds. */
  z.object({ ...hold, type: z.literal('believed') }),
  /** A verification was answered with proof; `sentAt` is when the question was sent. */
  z.object({ ...hold, type: z.literal('proven'), sentAt: z.int() }),
  /** lease.signal aborted. */
  z.object({ ...hold, type: z.literal('lost'), reason: z.string() }),
  z.object({ ...hold, type: z.literal('releasing') }),
  z.object({ ...hold, type: z.literal('released') }),
  /** An element was added to the lock's set in plain files, read-modify-write, or could not be. */
  z.object({ ...hold, type: z.literal('filed'), element: z.string() }),
  /** The same in the store that refuses older fences. `failed`: unknown whether it was accepted. */
  z.object({
    ...hold,
    type: z.literal('stored'),
    element: z.string(),
    outcome: z.enum(['accepted', 'refused', 'failed']),
  }),
  /** An acquire ended without a lease. */
  z.object({ ...worker, type: z.literal('refused'), lock: z.string(), code: z.string() }),
  z.object({ ...worker, type: z.literal('stopped') }),
  /** An error that nobody caught, or an end that nobody asked for. */
  z.object({ ...worker, type: z.literal('crashed'), error: z.string() }),
] as const;

/** Where the process that was struck stood, as its frames on the wire show. */
export const PHASES = [
  'holding',
  'releasing', // its channel.close is on the way, unanswered
  'receiving', // a waiter whose delivery is on the way
  'verifying', // between basic.nack or basic.reject and the delivery that answers it
  'minting', // between purging or declaring, and seeding
  'waiting',
  'idle',
] as const;
export type Phase = (typeof PHASES)[number];

/** What the nemesis writes. */
const NEMESIS_EVENTS = [
  z.object({
    ...base,
    type: z.literal('struck'),
    id: z.int(),
    fault: z.string(),
    /** What the strike waited for; undefined when it did not wait. */
    aim: z.enum(PHASES).optional(),
    /** Whom it hit (`who`), by phase at that instant: a broker fault hits everybody on that broker. */
    hit: z.array(
      z.object({
        who: z.string(),
        lock: z.string().optional(),
        phase: z.enum(PHASES),
        /** Its connection was held still until the fault was at work, so the phase is exact. */
        held: z.literal(true).optional(),
      }),
    ),
    /** The locks that it can have touched; undefined: all. */
    locks: z.array(z.string()).optional(),
  }),
  /** The fault is over: healed, cleared, continued, started again. Instant faults are over at once. */
  z.object({ ...base, type: z.literal('healed'), id: z.int(), fault: z.string() }),
  /** A process died or stood still, as its parent saw it: it believed nothing from here on. */
  z.object({ ...base, type: z.literal('killed'), who: z.string() }),
  z.object({ ...base, type: z.literal('frozen'), who: z.string() }),
  z.object({ ...base, type: z.literal('continued'), who: z.string() }),
] as const;

/** What the run itself writes: first its plan, last what it found when all faults were over. */
const RUN_EVENTS = [
  z.object({
    ...base,
    type: z.literal('plan'),
    version: z.string(),
    site: z.enum(['single', 'cluster']),
    build: z.enum(['baton', 'naive']),
    grant: z.enum(['auto', 'verified', 'immediate']),
    seed: z.int(),
    minutes: z.number(),
    workers: z.int(),
    locks: z.array(z.string()),
    leaseMs: z.int(),
    verifyEveryMs: z.int(),
    healAfterMs: z.int(),
    heartbeatMs: z.int(),
  }),
  /** A queue that a killed node had lost and did not bring up was deleted, as an operator would (docs/guarantees.md). */
  z.object({ ...base, type: z.literal('repaired'), queue: z.string() }),
  /**
   * A queue had been deleted while these nodes were away. Their old members were replaced, as an operator would, or the
   * queue deleted once more, and connections closed with that, from `since` on.
   */
  z.object({
    ...base,
    type: z.literal('mended'),
    since: z.int(),
    queue: z.string(),
    nodes: z.array(z.string()),
    how: z.enum(['replaced', 'deleted']),
  }),
  /** From here on no fault is at work: every lock must be granted again, and end with one live token. */
  z.object({ ...base, type: z.literal('calm') }),
  /**
   * The lock's queue after all workers have left: tokens that are ready in it (a probe or foreign message is none), and how often
   * the broker had taken each back, head first: a seed that was never delivered has 0.
   */
  z.object({
    ...base,
    type: z.literal('left'),
    lock: z.string(),
    tokens: z.int(),
    foreignMessages: z.int(),
    returns: z.array(z.int()).optional(),
  }),
  /** The sets as they are at the end. */
  z.object({ ...base, type: z.literal('files'), lock: z.string(), elements: z.array(z.string()) }),
  /** `audit`: every write that the store accepted, in that order. */
  z.object({
    ...base,
    type: z.literal('store'),
    lock: z.string(),
    elements: z.array(z.string()),
    audit: z.array(z.object({ fence: z.string().regex(/^\d+$/), element: z.string() })).optional(),
  }),
] as const;

export const historyEventSchema = z.discriminatedUnion('type', [
  ...WORKER_EVENTS,
  ...NEMESIS_EVENTS,
  ...RUN_EVENTS,
]);
export type HistoryEvent = z.infer<typeof historyEventSchema>;
export type HistoryEventOf<T extends HistoryEvent['type']> = Extract<HistoryEvent, { type: T }>;

/** CLOCK_MONOTONIC in whole microseconds. */
export const nowUs = (): number => Number(process.hrtime.bigint() / 1_000n);
