import { untilCalm } from '../peers/processes.ts';
import { type Contention, contention, measureContention } from './handoff.ts';
import type { Case, Scenario, Slice } from './scenario.ts';

interface Growth extends Contention {
  /** Held by somebody else meanwhile. */
  readonly otherLocks: number;
}

const WAITERS = [10, 100, 500, 2_000];
/** 2,000 do not get in line in a moment. */
const LINE_UP_MS = 10_000;
const LOCKS = [100, 1_000];

const CASES: readonly Growth[] = [
  ...WAITERS.map((waiters) => ({ ...contention(waiters, 0), otherLocks: 0 })),
  ...LOCKS.map((otherLocks) => ({
    ...contention(8, 0),
    id: `${otherLocks}-locks`,
    title: `8 waiters, and ${otherLocks.toLocaleString('en')} other locks that are held`,
    otherLocks,
  })),
];

async function measureGrowth(slice: Slice<Growth>) {
  const { otherLocks } = slice.case;
  if (otherLocks === 0) return measureContention(slice, LINE_UP_MS);
  const { server, lock } = slice;
  const scratch = await server.scratch?.();
  const urls = scratch?.urls ?? server.urls;
  const crew = slice.ownCrew();
  try {
    const [holder] = await crew.open(urls, { waits: otherLocks }, 1);
    const names = Array.from({ length: otherLocks }, (_, index) => `${lock}-${index}`);
    await holder?.call('take', { names, release: false });
    return await measureContention({ ...slice, server: { ...server, urls } });
  } finally {
    crew.stop();
    await scratch?.remove();
    await untilCalm(server);
  }
}

/** Those in which a wait is a connection do not get as far as others. */
const CONNECTION_EACH: readonly string[] = ['postgres', 'mariadb'];
/** Who polls has no hand-off. */
const POLLING: readonly string[] = ['redis', 'memcached'];

export const growth: Scenario = {
  id: 'growth',
  letter: 'F',
  title: 'How the hand-off grows',
  cases: CASES,
  leavesOut: ({ id, server, options }, it: Case) =>
    options !== undefined ||
    POLLING.includes(server) ||
    id === 'etcd3' ||
    (CONNECTION_EACH.includes(server) && (it as Growth).waiters > 500),
  aboutS: 5,
  measure: (slice) => measureGrowth(slice as Slice<Growth>),
};
