/** One turn of a contender. Times in milliseconds of the machine's monotonic clock. */
export interface Turn {
  readonly contender: number;
  readonly askedAt: number;
  /** When it was known to be in the queue; NaN when nobody told. */
  readonly placedAt: number;
  readonly grantedAt: number;
  /** When the release was called. */
  readonly releasedAt: number;
  readonly fence: bigint | undefined;
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Nearest rank; NaN of nothing. */
export function percentile(values: readonly number[] | Float64Array, percent: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** 1 when all have had the same, 1/n when one has had everything. */
export function jain(shares: readonly number[]): number {
  const total = shares.reduce((sum, share) => sum + share, 0);
  const squares = shares.reduce((sum, share) => sum + share * share, 0);
  return squares === 0 ? Number.NaN : (total * total) / (shares.length * squares);
}

export interface Window {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface HandoffFigures {
  readonly grants: number;
  readonly grantsPerS: number;
  /** From the call of one release to the next grant. */
  readonly latencyP50Ms: number;
  readonly latencyP99Ms: number;
  readonly waitP99Ms: number;
  /** Of the grants per contender, over whole rounds (n grants for n contenders), so that a rest does not count as unfair. */
  readonly fairness: number;
  /** Grants to somebody who had not even asked when somebody else, served later, was known to be in line. */
  readonly inversions: number;
  /** Share of the grants, in percent, that went to the releaser itself while others waited. */
  readonly regrantsPercent: number;
  /** Grants before the release of the one before was called: two holders. */
  readonly overlaps: number;
  /** Fences that did not rise; 0 where there are none. */
  readonly fencesFallen: number;
}

/** Without a word from the server, a wait is taken for placed after this long. */
const PLACED_AFTER_MS = 10;

const placedAt = ({ placedAt: told, askedAt }: Turn) =>
  Number.isNaN(told) ? askedAt + PLACED_AFTER_MS : told;

/**
 * Judges the turns of one lock, those of all processes together, by what was granted within the window. A wait that was
 * never granted is a turn that was granted at Infinity.
 */
export function judgeHandoff(turns: readonly Turn[], contenders: number, window: Window): HandoffFigures {
  const sorted = turns.toSorted((one, other) => (one.grantedAt < other.grantedAt ? -1 : 1));
  const waitedFor = longestWaiting(sorted);
  const inside = sorted.flatMap((turn, index) => {
    if (turn.grantedAt < window.fromMs || turn.grantedAt >= window.toMs) return [];
    // Of those who are served after this turn.
    return [
      { turn, before: sorted[index - 1], laterPlacedAt: waitedFor[index + 1] ?? Number.POSITIVE_INFINITY },
    ];
  });
  const pairs = inside.flatMap(({ turn, before }) => (before === undefined ? [] : [{ turn, before }]));
  const latencies = pairs.map(({ turn, before }) => turn.grantedAt - before.releasedAt);
  const contested = inside.filter(
    ({ turn, before, laterPlacedAt }) =>
      before !== undefined && Math.min(placedAt(turn), laterPlacedAt) < before.releasedAt,
  );
  const regrants = contested.filter(({ turn, before }) => turn.contender === before?.contender);
  const rounds = Math.floor(inside.length / contenders) * contenders;
  const shares = Array.from({ length: contenders }, () => 0);
  for (const { turn } of inside.slice(0, rounds)) {
    shares[turn.contender] = (shares[turn.contender] ?? 0) + 1;
  }
  return {
    grants: inside.length,
    grantsPerS: (inside.length * 1_000) / (window.toMs - window.fromMs),
    latencyP50Ms: percentile(latencies, 50),
    latencyP99Ms: percentile(latencies, 99),
    waitP99Ms: percentile(
      inside.map(({ turn }) => turn.grantedAt - turn.askedAt),
      99,
    ),
    fairness: rounds === 0 ? Number.NaN : jain(shares),
    inversions: inside.filter(({ turn, laterPlacedAt }) => laterPlacedAt < turn.askedAt).length,
    regrantsPercent: (regrants.length * 100) / Math.max(1, contested.length),
    overlaps: latencies.filter((latency) => latency < 0).length,
    fencesFallen: pairs.filter(({ turn, before }) => fell(before.fence, turn.fence)).length,
  };
}

const fell = (before: bigint | undefined, after: bigint | undefined) =>
  before !== undefined && after !== undefined && after <= before;

/** For each turn: when the one was placed who waits longest of it and all later ones. */
function longestWaiting(sorted: readonly Turn[]): number[] {
  const since: number[] = [];
  let earliest = Number.POSITIVE_INFINITY;
  for (let index = sorted.length - 1; index >= 0; index -= 1) {
    const turn = sorted[index];
    if (turn !== undefined) earliest = Math.min(earliest, placedAt(turn));
    since[index] = earliest;
  }
  return since;
}
