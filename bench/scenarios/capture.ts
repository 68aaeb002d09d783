import { setTimeout as pause } from 'node:timers/promises';
import type { TapedFrame } from '../peers/rabbitmq/tape.ts';
import { median, percentile } from '../stats.ts';
import type { Worker } from '../workers/crew.ts';
import type { Figures, Scenario, Slice } from './scenario.ts';

const HAND_OFFS = 200;
const WARM_UP = 20;
/** So that nothing but the hand-off is under way. */
const QUIET_MS = 5;
/** What is seen less often is no part of a hand-off: a heartbeat, a channel that is opened ahead of need. */
const USUAL = 0.9;

export interface HandOff {
  /** When release() was called, and when acquire() resolved in the other process. */
  readonly releasedAt: number;
  readonly grantedAt: number;
  readonly releaser: readonly TapedFrame[];
  readonly next: readonly TapedFrame[];
}

async function measureHandOffs({ crew, server, lock, quick }: Slice): Promise<Map<string, Figures>> {
  const [one, other] = await crew.open(server.urls, { waits: 1 }, 2);
  if (one === undefined || other === undefined) throw new Error('a hand-off has two ends');
  try {
    await one.call('hold', lock);
    const taped: HandOff[] = [];
    for (let turn = 0; turn < WARM_UP + (quick ? HAND_OFFS / 10 : HAND_OFFS); turn += 1) {
      const [releaser, next] = turn % 2 === 0 ? [one, other] : [other, one];
      const handOff = await tapeOne(releaser, next, lock);
      if (turn >= WARM_UP) taped.push(handOff);
    }
    return stepsOf(taped);
  } finally {
    await crew.close();
  }
}

async function tapeOne(releaser: Worker, next: Worker, lock: string): Promise<HandOff> {
  await next.call('queue', lock);
  await Promise.all([releaser.call('startTape'), next.call('startTape')]);
  const granted = next.call('granted');
  await pause(QUIET_MS);
  const releasedAt = await releaser.call('release');
  const grantedAt = await granted;
  const [releasers, nexts] = await Promise.all([releaser.call('stopTape'), next.call('stopTape')]);
  return { releasedAt, grantedAt, releaser: releasers, next: nexts };
}

/**
 * The steps that hand-offs have in common, in their usual order, up to the grant. `sinceReleaseUs` is the median time
 * since release() was called; `p50Us` and `p90Us` are of the time since the step before. All in microseconds.
 */
export function stepsOf(handOffs: readonly HandOff[]): Map<string, Figures> {
  const times = handOffs.map(timesOf);
  const sinceRelease = (step: string) => median(times.flatMap((each) => each.get(step) ?? []));
  const steps = [...new Set(times.flatMap((each) => [...each.keys()]))]
    .filter((step) => times.filter((each) => each.has(step)).length >= USUAL * times.length)
    .sort((first, second) => sinceRelease(first) - sinceRelease(second));
  return new Map(
    steps.map((step, index) => {
      const before = steps[index - 1];
      const since = times.flatMap((each) => {
        const [at, from] = [each.get(step), before === undefined ? 0 : each.get(before)];
        return at === undefined || from === undefined ? [] : [at - from];
      });
      const figures = {
        sinceReleaseUs: sinceRelease(step),
        p50Us: median(since),
        p90Us: percentile(since, 90),
      };
      return [step, figures];
    }),
  );
}

/** Each step of one hand-off, in microseconds since the release. */
function timesOf({ releasedAt, grantedAt, releaser, next }: HandOff): Map<string, number> {
  const times = new Map<string, number>();
  const note = (step: string, atMs: number) => {
    let name = step;
    for (let again = 2; times.has(name); again += 1) name = `${step} (${again})`;
    times.set(name, (atMs - releasedAt) * 1_000);
  };
  for (const [who, frames] of [
    ['releaser', releaser],
    ['next', next],
  ] as const) {
    for (const { atMs, sent, method } of frames) {
      if (atMs < releasedAt || atMs > grantedAt) continue;
      note(sent ? `${who} → broker: ${method}` : `broker → ${who}: ${method}`, atMs);
    }
  }
  note('next: acquire() resolves', grantedAt);
  return times;
}

export const capture: Scenario = {
  id: 'capture',
  letter: 'G',
  title: 'One hand-off, frame by frame',
  cases: [{ id: 'hand-off', title: 'between two processes' }],
  leavesOut: ({ server, options }) => options !== undefined || !server.startsWith('rabbitmq'),
  aboutS: 5,
  measure: measureHandOffs,
};
