import { setTimeout as pause } from 'node:timers/promises';
import { monotonicMs } from '../clock.ts';
import { serverKind } from '../peers/index.ts';
import type { Case, Figures, Scenario, Slice } from './scenario.ts';

/** `limitMs`: who has not been granted by then never is. */
interface Death extends Case {
  readonly signal?: 'SIGKILL' | 'SIGSTOP';
  readonly limitMs: number;
}

const CASES: readonly Death[] = [
  { id: 'sigkill', title: 'the holder is killed (SIGKILL)', signal: 'SIGKILL', limitMs: 35_000 },
  { id: 'sigstop', title: 'the holder stands still (SIGSTOP)', signal: 'SIGSTOP', limitMs: 45_000 },
  { id: 'node', title: 'the node that leads is killed, of three', limitMs: 80_000, aboutS: 200 },
];

/** Nothing else is begun while an answer of milliseconds may be on its way, as it may be after SIGKILL. */
const QUIET_MS = 2_000;

/** The peers are measured at the same time, but one after the other does what takes the machine. */
let busy: Promise<unknown> = Promise.resolve();

function alone<T>(work: () => Promise<T>): Promise<T> {
  const turn = busy.then(work);
  busy = turn.catch(() => {});
  return turn;
}

/** From the death of a holder's process to the grant of the one who waits, in another process. */
async function measureHolder(slice: Slice, { signal = 'SIGKILL', limitMs }: Death): Promise<Figures> {
  const { server, lock } = slice;
  const crew = slice.ownCrew();
  try {
    const [diedAt, granted] = await alone(async () => {
      const [holder, waiter] = await crew.open(server.urls, { waits: 1 }, 2);
      if (holder === undefined || waiter === undefined) throw new Error('a holder and a waiter are wanted');
      await holder.call('hold', lock);
      await waiter.call('queue', lock);
      const at = monotonicMs();
      holder.signal(signal);
      // The timer alone must not keep the bench from ending.
      const never = pause(limitMs, Number.POSITIVE_INFINITY, { ref: false });
      const answer = Promise.race([waiter.call('granted'), never]);
      if (signal === 'SIGKILL') await Promise.race([answer, pause(QUIET_MS)]);
      return [at, answer];
    });
    return { nextGrantMs: (await granted) - diedAt };
  } finally {
    crew.stop();
  }
}

const CONTENDERS = 8;
const HOLD_MS = 50;
const BEFORE_MS = 3_000;

/**
 * The longest time without a grant after the death of a node. All clients know all nodes, and were connected to that
 * one: it is the worst case.
 */
async function measureNode(slice: Slice, { limitMs }: Death): Promise<Figures> {
  const { peer, lock, log } = slice;
  const kind = await serverKind(peer.server);
  const crew = slice.ownCrew();
  const cluster = await alone(() => kind.start({ nodes: 3, log }));
  try {
    const { kill, leader } = cluster;
    if (kill === undefined || leader === undefined) throw new Error(`${peer.server} has no cluster`);
    // Anybody who uses a lock first decides where it is led, so it is used before it is asked.
    await crew.open(cluster.urls, { waits: 1 }, 1);
    await crew.workers(1)[0]?.call('take', { names: [lock], release: true });
    await crew.close();
    const leading = await leader(lock);
    if (leading < 0) throw new Error(`nobody leads ${peer.server}`);
    const urls = cluster.urls.map((_, at) => cluster.urls[(leading + at) % cluster.urls.length] ?? '');
    const workers = await crew.open(urls, { waits: CONTENDERS / 4 }, 4);
    const reports = workers.map((worker, index) =>
      worker.call('contend', {
        name: lock,
        contenders: [index, index + workers.length],
        holdMs: HOLD_MS,
        stubborn: true,
      }),
    );
    await pause(BEFORE_MS);
    const diedAt = monotonicMs();
    await alone(async () => kill(leading));
    await pause(limitMs);
    const untilMs = monotonicMs();
    await Promise.all(workers.map((worker) => worker.call('endContention')));
    const grants = (await Promise.all(reports)).flatMap(({ turns }) => turns.map((turn) => turn.grantedAt));
    return { gapMs: longestGap(grants, diedAt, untilMs) };
  } finally {
    crew.stop();
    await cluster.stop();
  }
}

/** Of the gaps that were not over at `sinceMs`; Infinity when the longest was not over at the end of the watch. */
export function longestGap(grants: readonly number[], sinceMs: number, untilMs: number): number {
  const sorted = grants.filter(Number.isFinite).sort((one, other) => one - other);
  const open = untilMs - Math.max(...sorted);
  const gaps = sorted.flatMap((at, index) => {
    const before = sorted[index - 1];
    return at <= sinceMs || before === undefined ? [] : [at - before];
  });
  const longest = Math.max(0, ...gaps);
  return open >= longest ? Number.POSITIVE_INFINITY : longest;
}

const CLUSTERED = ['rabbitmq-3.10', 'rabbitmq-4.3', 'zookeeper', 'etcd', 'nats'];

export const death: Scenario = {
  id: 'death',
  letter: 'D',
  title: 'Until the next grant',
  cases: CASES,
  aboutS: 50,
  together: true,
  leavesOut: ({ server, options }, it) =>
    options !== undefined || (it.id === 'node' && !CLUSTERED.includes(server)),
  measure: (slice) => {
    const it = slice.case as Death;
    return it.signal === undefined ? measureNode(slice, it) : measureHolder(slice, it);
  },
};
