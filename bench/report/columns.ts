/** What the tables show of each scenario. */
export interface Column {
  readonly figure: string;
  readonly heading: string;
  readonly digits: number;
  /** A time, which is shown as a multiple of the raw hop as well. */
  readonly hops?: true;
}

const ms = (figure: string, heading: string): Column => ({ figure, heading, digits: 2, hops: true });
const count = (figure: string, heading: string, digits = 0): Column => ({ figure, heading, digits });

const WIRE = [
  count('framesPerGrant', 'frames/grant', 1),
  count('publishesPerGrant', 'publishes/grant', 2),
  count('verificationsPerGrant', 'verifications/grant', 2),
];

const CYCLE = [
  ms('acquireP50Ms', 'acquire ms'),
  ms('releaseP50Ms', 'release ms'),
  ms('cycleP50Ms', 'both ms'),
  ...WIRE,
];

const HANDOFF = [
  count('grantsPerS', 'grants/s'),
  ms('latencyP50Ms', 'hand-off ms, p50'),
  ms('latencyP99Ms', 'p99'),
  { figure: 'waitP99Ms', heading: 'wait ms, p99', digits: 1 },
  count('fairness', 'fairness', 3),
  count('inversions', 'inversions'),
  count('regrantsPercent', 're-grants %', 1),
  count('overlaps', 'overlaps'),
  ...WIRE,
];

const REST = [
  count('clientKiBEach', 'client heap KiB each', 1),
  count('clientRssKiBEach', 'client RSS KiB each', 1),
  count('clientCpuPercent', 'client CPU %', 1),
  count('serverKiBEach', 'server KiB each', 1),
  count('serverCpuPercent', 'server CPU %', 1),
  count('messagesPerS', 'messages/s'),
];

export const COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  cycle: CYCLE,
  fresh: CYCLE,
  handoff: HANDOFF,
  death: [count('nextGrantMs', 'ms'), count('gapMs', 'longest gap, ms')],
  rest: REST,
  growth: HANDOFF,
  capture: [
    count('sinceReleaseUs', 'µs since release()'),
    count('p50Us', 'since the step before, p50'),
    count('p90Us', 'p90'),
  ],
};
