import { byTime, type DemoEvent } from './events.ts';

/** The lock going from one worker to another who was already waiting for it. */
export interface HandOff {
  readonly resource: string;
  readonly from: string;
  readonly to: string;
  /** Of the later one's grant. */
  readonly fence: string;
  readonly at: number;
  /** What ended the earlier hold. */
  readonly after: 'releasing' | 'killed' | 'frozen';
  /** From that to the grant. */
  readonly ms: number;
}

/** Every hand-off, in the order of the grants. A grant to somebody who came to a free lock is none. */
export function handOffs(events: readonly DemoEvent[]): HandOff[] {
  const found: HandOff[] = [];
  const ends = new Map<string, DemoEvent>();
  const waitingSince = new Map<string, number>();
  for (const event of byTime(events)) {
    const { type, at, worker, resource } = event;
    if (type === 'waiting') waitingSince.set(worker, at);
    if (type === 'releasing' || type === 'killed' || type === 'frozen') ends.set(resource, event);
    if (type !== 'granted') continue;
    const end = ends.get(resource);
    ends.delete(resource);
    if (end === undefined) continue;
    // Only a release needs somebody in line: who comes to a dead or frozen holder's lock waits for it all the same.
    if (end.type === 'releasing' && (waitingSince.get(worker) ?? at) >= end.at) continue;
    const after = end.type as HandOff['after'];
    found.push({
      resource,
      from: end.worker,
      to: worker,
      fence: event.fence ?? '',
      at,
      after,
      ms: at - end.at,
    });
  }
  return found;
}

export interface Spread {
  readonly count: number;
  readonly median: number;
  readonly p95: number;
  readonly worst: number;
}

/** Undefined for no values. Percentiles by nearest rank: each is a value that was measured. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  if (sorted.length === 0) return undefined;
  return { count: sorted.length, median: rank(0.5), p95: rank(0.95), worst: rank(1) };
}
