import type { Job } from './events.ts';

export const WORKERS = ['w1', 'w2', 'w3', 'w4'] as const;
export const JOBS = 40;

/** Uneven on purpose: a queue forms in front of the first, so that there are hand-offs to see. */
const SHARES: readonly (readonly [resource: string, jobs: number])[] = [
  ['berlin', 18],
  ['lagos', 13],
  ['osaka', 9],
];
export const RESOURCES = SHARES.map(([resource]) => resource);

/** The same jobs in the same order every time. */
export function planJobs(): Job[] {
  const random = randomFrom(7);
  const resources = SHARES.flatMap(([resource, jobs]) => Array<string>(jobs).fill(resource));
  return shuffle(resources, random).map((resource, index) => ({
    id: String(index + 1).padStart(2, '0'),
    resource,
    amount: 1 + Math.floor(random() * 9),
    pauses: Array.from({ length: 4 }, () => 60 + Math.floor(random() * 90)),
  }));
}

function shuffle<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

/** A linear congruential generator (Numerical Recipes): plenty for a plan. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
