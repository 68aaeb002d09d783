import { junkBody, NOW, newerBody, OTHER_ID, probeBody, tokenBody } from './fixtures.ts';
import type { Process } from './process.ts';
import type { WatchedContender } from './world.ts';

/** The broker's side, as far as deliveries need it: the live token of one queue, and how often it was taken back. */
export interface Queue {
  base: bigint;
  returns: number;
  /** Of these by nacks, on a broker that counts them apart. */
  nacked: number | undefined;
}

/** What can be delivered. */
export const WHAT = [
  'live',
  'proof',
  'same',
  'skipped',
  'other',
  'impostor',
  'surfaced',
  'huge',
  'probe',
  'junk',
  'newer',
  'foreign',
] as const;
export type What = (typeof WHAT)[number];

/** A new token, above all that this process has seen. */
export function seed({ highestSeen }: Process, queue: Queue): void {
  queue.base = highestSeen + 1n;
  queue.returns = 0;
  if (queue.nacked !== undefined) queue.nacked = 0;
}

/** A message for the contender, with its counts: in all, and by nacks. */
export function messageOf(
  { what, step }: { what: What; step: number },
  who: WatchedContender,
  process: Process,
  queue: Queue,
): readonly [Uint8Array, number, number | undefined] {
  const hold = 'hold' in who.state ? who.state.hold : undefined;
  const own =
    hold === undefined ? tokenBody({ base: queue.base }) : tokenBody({ base: hold.base, id: hold.id });
  const before = hold?.returns ?? queue.returns;
  const nacked = queue.nacked === undefined ? undefined : (hold?.nacked ?? queue.nacked);
  switch (what) {
    case 'live':
      queue.returns += step;
      if (queue.nacked !== undefined) queue.nacked += step;
      return [tokenBody({ base: queue.base, at: process.now.wall }), queue.returns, queue.nacked];
    case 'proof': {
      const isNack = who.asked === 'requeue';
      const returns = before + (isNack || nacked === undefined ? 1 : 2);
      queue.returns = Math.max(queue.returns, returns);
      if (nacked === undefined) return [own, returns, undefined];
      queue.nacked = nacked + (isNack ? 1 : 0);
      return [own, returns, queue.nacked];
    }
    case 'same':
      return [own, before, nacked];
    case 'skipped':
      return [own, before + 1 + step, nacked];
    case 'other':
      return [tokenBody({ id: OTHER_ID, base: queue.base + BigInt(step) * 10n }), queue.returns, nacked];
    case 'impostor': {
      const base = (hold?.base ?? queue.base) + BigInt(step);
      const id = step === 1 ? OTHER_ID : hold?.id;
      return [
        tokenBody({ base, ...(id && { id }) }),
        before + 1,
        nacked === undefined ? undefined : nacked + 1,
      ];
    }
    case 'surfaced':
      return [
        tokenBody({ id: OTHER_ID, base: queue.base + 500n, at: process.now.wall - 61_000 }),
        0,
        undefined,
      ];
    case 'huge':
      queue.base += 1_000_000n;
      queue.returns = 0;
      if (queue.nacked !== undefined) queue.nacked = 0;
      return [tokenBody({ base: queue.base, at: process.now.wall }), 0, undefined];
    case 'foreign':
      return [tokenBody({ name: 'else', at: NOW.wall }), queue.returns, nacked];
    case 'probe':
      return [probeBody, 0, undefined];
    case 'newer':
      return [newerBody, queue.returns, nacked];
    case 'junk':
      return [junkBody, queue.returns, nacked];
  }
}
