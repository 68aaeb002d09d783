/** What docs/guarantees.md allows under which fault, as data. What is not listed here is allowed nothing. */
import type { Hold, Plan, Span, Strike } from './types.ts';

interface Allowance {
  /** The version from which on it is not allowed any more. */
  readonly before?: readonly [number, number];
  readonly site?: Plan['site'];
  /** Only where the next holder waits for the end of a lease that was not released, or only elsewhere. */
  readonly delays?: boolean;
  /** Only if a process that had not had the lock before came to it meanwhile. */
  readonly byNewcomer?: boolean;
  /** How long two may believe at the same time. */
  readonly overlapMs: (plan: Plan) => number;
  /** The sentence of docs/guarantees.md. */
  readonly why: string;
}

export interface FaultKind {
  /** `hit`: only the processes that the strike names. `everybody`: anybody who uses a lock that it names, or any. */
  readonly touches: 'hit' | 'everybody';
  readonly overlaps?: readonly Allowance[];
  /** Can destroy a live token while an older seed lies behind it: a fence can be repeated. */
  readonly destroysTokens?: boolean;
}

/** The holder is told at once, and so is the broker: whose news travels faster is a matter of milliseconds. */
const TOLD: Allowance = {
  delays: false,
  overlapMs: () => 1_000,
  why: "Anybody who ends the holder's connection serves the next at the same moment",
};
/** What tells that a token was not released goes by while the two versions count differently. */
const UPGRADED: Allowance = { overlapMs: TOLD.overlapMs, why: TOLD.why };
/** The nemesis sets it far below a lease, and 4.3 counts such a return like a nack. */
const TIMED_OUT: Allowance = {
  overlapMs: TOLD.overlapMs,
  why: 'A consumer timeout that is shorter than the lease frees the lock for verified grants too',
};
const DELETED: Allowance = {
  delays: false,
  overlapMs: () => 250,
  why: 'A deletion of the queue while the lock is held is heard of by the holder and by everybody else at about the same time',
};
const DELETED_UNKNOWN: Allowance = {
  ...DELETED,
  delays: true,
  byNewcomer: true,
  why: 'A process that has not seen the lock before cannot know that its queue was deleted',
};
const HALF_DEAD: Allowance = {
  delays: false,
  overlapMs: ({ leaseMs, verifyEveryMs }) => leaseMs + verifyEveryMs,
  why: 'A broker that sees a connection die which the client takes for alive hands the lock over at once too',
};
/** With the token goes what tells that it was not released. It takes another fault to make its holder believe on. */
const DESTROYED: Allowance = {
  delays: true,
  byNewcomer: true,
  overlapMs: ({ leaseMs, verifyEveryMs }) => leaseMs + verifyEveryMs,
  why: 'A process that has not seen the lock before takes a token that replaced another at once',
};
const DROPPED_LINK: Allowance = {
  before: [4, 3],
  site: 'cluster',
  overlapMs: ({ leaseMs, verifyEveryMs }) => leaseMs + verifyEveryMs,
  why: 'Below RabbitMQ 4.3 a dropped link between nodes hands the token over at once',
};

/** No fault, but what is done about queues that were deleted while a node was away: it ends connections. */
export const MENDING = 'mending';

export const FAULTS: Readonly<Record<string, FaultKind>> = {
  'worker-kill': { touches: 'hit' },
  'worker-freeze': { touches: 'hit' },
  'line-reset': { touches: 'hit', overlaps: [TOLD] },
  'line-silent': { touches: 'hit' },
  'line-deaf': { touches: 'hit' },
  'line-mute': { touches: 'hit' },
  'line-half-dead': { touches: 'hit', overlaps: [HALF_DEAD] },
  'channels-close': { touches: 'everybody', overlaps: [TOLD] },
  'memory-alarm': { touches: 'everybody' },
  'queue-delete': { touches: 'everybody', overlaps: [DELETED, DELETED_UNKNOWN] },
  'queue-purge': { touches: 'everybody', overlaps: [DESTROYED], destroysTokens: true },
  'policy-delivery-limit': { touches: 'everybody', overlaps: [DESTROYED], destroysTokens: true },
  'policy-message-ttl': { touches: 'everybody', overlaps: [DESTROYED], destroysTokens: true },
  'policy-max-length': { touches: 'everybody', overlaps: [DESTROYED], destroysTokens: true },
  'consumer-timeout': { touches: 'everybody', overlaps: [TIMED_OUT] },
  'node-restart': { touches: 'everybody', overlaps: [TOLD] },
  'node-kill': { touches: 'everybody', overlaps: [TOLD] },
  'leader-kill': { touches: 'everybody', overlaps: [TOLD] },
  'leader-restart': { touches: 'everybody', overlaps: [TOLD] },
  'rolling-restart': { touches: 'everybody', overlaps: [TOLD] },
  'node-pause': { touches: 'everybody', overlaps: [DROPPED_LINK] },
  'node-cut': { touches: 'everybody', overlaps: [DROPPED_LINK] },
  'node-isolate': { touches: 'everybody', overlaps: [DROPPED_LINK] },
  'node-flap': { touches: 'everybody', overlaps: [DROPPED_LINK] },
  [MENDING]: { touches: 'everybody', overlaps: [TOLD, DELETED_UNKNOWN] },
  'cluster-upgrade': { touches: 'everybody', overlaps: [UPGRADED, DROPPED_LINK] },
};

/** How long after its end a fault can still have an effect: the slowest to notice is a broker that counts heartbeats. */
export function afterMs({ leaseMs, verifyEveryMs, heartbeatMs, site }: Plan): number {
  return leaseMs + verifyEveryMs + 3 * heartbeatMs + (site === 'cluster' ? 10_000 : 0);
}

/** Within this time of calm every lock is granted: reconnecting, the end of the last lease, and the look, probe and grace of healing. */
export function calmGrantMs({ healAfterMs, heartbeatMs, leaseMs, site }: Plan): number {
  return 3 * healAfterMs + 3 * heartbeatMs + leaseMs + 15_000 + (site === 'cluster' ? 60_000 : 0);
}

/** How much later than promised a busy machine may be seen to do something. */
export const SLACK_MS = 500;

/** The same for a check of the clock, which waits for nothing. */
export const CHECK_SLACK_MS = 50;

/** Whether the strike can have touched this lock in this span. */
export function isNear(plan: Plan, strike: Strike, lock: string, span: Span): boolean {
  const { locks } = strike.event;
  if (locks !== undefined && !locks.includes(lock)) return false;
  return strike.from <= span.to && span.from <= strike.to + afterMs(plan) * 1_000;
}

/** Whether the strike touched this process: by name, or because it touched everybody. */
export function touches(strike: Strike, ...who: readonly string[]): boolean {
  if (FAULTS[strike.fault]?.touches === 'everybody') return true;
  return strike.event.hit.some((hit) => who.includes(hit.who));
}

/** The strike that allows two holders to believe at the same time for this span. `holds`: all of the lock, in order. */
export function excuseOverlap(
  plan: Plan,
  strikes: readonly Strike[],
  holds: readonly Hold[],
  older: Hold,
  newer: readonly Hold[],
  span: Span,
): Strike | undefined {
  const ms = (span.to - span.from) / 1_000;
  const hadByNewcomer = ({ from }: Strike) =>
    holds.some(
      (hold, index) =>
        from <= hold.grantedAt &&
        hold.grantedAt <= span.to &&
        !holds.slice(0, index).some(({ who }) => who === hold.who),
    );
  return strikes.findLast(
    (strike) =>
      isNear(plan, strike, older.lock, { from: span.from, to: span.from }) &&
      touches(strike, older.who, ...newer.map(({ who }) => who)) &&
      (FAULTS[strike.fault]?.overlaps ?? []).some(
        (allowance) =>
          applies(allowance, plan) &&
          (!allowance.byNewcomer || hadByNewcomer(strike)) &&
          ms <= allowance.overlapMs(plan),
      ),
  );
}

/** The strike after which a fence of this lock can come again. */
export function excuseFence(
  plan: Plan,
  strikes: readonly Strike[],
  first: Hold,
  second: Hold,
): Strike | undefined {
  const span = { from: first.grantedAt, to: second.grantedAt };
  return strikes.findLast(
    (strike) => FAULTS[strike.fault]?.destroysTokens && isNear(plan, strike, first.lock, span),
  );
}

function applies({ before, site, delays }: Allowance, plan: Plan): boolean {
  if (before !== undefined && isFrom(plan, before)) return false;
  const isDelayed = plan.grant === 'verified' && isFrom(plan, [4, 3]);
  if (delays !== undefined && delays !== isDelayed) return false;
  return site === undefined || site === plan.site;
}

function isFrom({ version }: Plan, [major, minor]: readonly [number, number]): boolean {
  const [ours = 0, oursMinor = 0] = version.split('.').map(Number);
  return ours > major || (ours === major && oursMinor >= minor);
}
