import fc from 'fast-check';
import { expect, it } from 'vitest';
import { check } from './check.ts';
import { Story } from './story.ts';
import type { RuleName } from './types.ts';

const LOCKS = ['a', 'b'];

interface Turn {
  readonly worker: number;
  readonly ending: 'release' | 'lost' | 'killed' | 'asleep';
  readonly gap: number;
  readonly ms: number;
  readonly writes: number;
  readonly step: number;
}

interface Lease extends Turn {
  readonly lock: string;
  readonly who: string;
  readonly fence: number;
  readonly from: number;
}

const turn: fc.Arbitrary<Turn> = fc.record({
  worker: fc.nat(3),
  ending: fc.constantFrom('release', 'release', 'release', 'lost', 'killed', 'asleep'),
  gap: fc.integer({ min: 1, max: 2_000 }),
  ms: fc.integer({ min: 50, max: 4_000 }),
  writes: fc.integer({ min: 1, max: 4 }),
  step: fc.integer({ min: 1, max: 3 }),
});
const turns = fc.tuple(
  fc.array(turn, { minLength: 3, maxLength: 12 }),
  fc.array(turn, { minLength: 3, maxLength: 12 }),
);

/** One lease after the other on each lock; a process that was killed has a successor. */
function leasesOf(all: readonly (readonly Turn[])[]): Lease[] {
  return all.flatMap((of, index) => {
    const starts = new Map<number, number>();
    let [at, fence] = [100, 1_000];
    return of.map((each) => {
      const start = starts.get(each.worker) ?? 1;
      // Anybody who sleeps is away until the end of the story.
      if (each.ending === 'killed' || each.ending === 'asleep') starts.set(each.worker, start + 1);
      const from = at + each.gap;
      fence += each.step;
      at = from + each.ms + (each.ending === 'asleep' ? 5_000 : 0);
      return { ...each, lock: LOCKS[index] ?? 'a', who: `w${index}${each.worker}-${start}`, fence, from };
    });
  });
}

function tell(leases: readonly Lease[]): Story {
  const story = new Story({ locks: LOCKS });
  let end = 0;
  for (const { who, fence, from, ms, writes, ending, lock } of leases) {
    const times = Array.from({ length: writes }, (_, index) => from + 3 + ((ms - 8) * index) / writes);
    const to = from + ms;
    end = Math.max(end, to + 5_000);
    if (ending === 'asleep') {
      const wakes = to + 5_010;
      story.hold(who, fence, { from, to, ending: 'open', writes: times }, lock);
      story.tell(to, { type: 'frozen', who }).tell(wakes, { type: 'continued', who });
      story.tell(wakes + 1, {
        type: 'lost',
        who,
        lock,
        fence: String(fence),
        reason: 'verification-timeout',
      });
    } else story.hold(who, fence, { from, to, ending, writes: times }, lock);
  }
  return story.end(end + 1_000);
}

const rulesOf = (story: Story) => check(story.history()).violations.map(({ rule }) => rule);

it('accepts what well-behaved processes do', () => {
  fc.assert(
    fc.property(turns, (all) => {
      expect(check(tell(leasesOf(all)).history()).violations).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

type Corruption = (leases: Lease[], pick: (count: number) => number) => Story | undefined;

/** Two leases of a lock, one after the other. */
function neighbours(
  leases: Lease[],
  pick: (count: number) => number,
  fits = (_first: Lease, _second: Lease) => true,
) {
  const pairs = leases.flatMap((first, index) => {
    const second = leases[index + 1];
    return second !== undefined && first.lock === second.lock && fits(first, second)
      ? [{ first, second, index }]
      : [];
  });
  return pairs[pick(pairs.length)];
}

const CORRUPTIONS: Readonly<Record<string, { rule: RuleName; corrupt: Corruption }>> = {
  'a release that comes after the next grant': {
    rule: 'mutual-exclusion',
    corrupt: (leases, pick) => {
      const pair = neighbours(
        leases,
        pick,
        (first, second) => first.ending === 'release' && first.who !== second.who,
      );
      return (
        pair &&
        tell(leases).change('releasing', (event) => {
          const isIt = event.lock === pair.first.lock && event.fence === String(pair.first.fence);
          return isIt ? { ...event, at: (pair.second.from + 1) * 1_000 } : event;
        })
      );
    },
  },
  'two fences that change places': {
    rule: 'fence-order',
    corrupt: (leases, pick) => {
      const pair = neighbours(leases, pick);
      if (pair === undefined) return undefined;
      const { first, second, index } = pair;
      leases.splice(index, 2, { ...first, fence: second.fence }, { ...second, fence: first.fence });
      return tell(leases);
    },
  },
  'a fence that is granted twice': {
    rule: 'fence-unique',
    corrupt: (leases, pick) => {
      const pair = neighbours(leases, pick);
      if (pair === undefined) return undefined;
      leases.splice(pair.index, 1, { ...pair.first, fence: pair.second.fence });
      return tell(leases);
    },
  },
  'an element that is missing from the files': {
    rule: 'file-set',
    corrupt: (leases, pick) =>
      tell(leases).change('files', (event) => {
        if (event.lock !== 'a') return event;
        return { ...event, elements: event.elements.toSpliced(pick(event.elements.length), 1) };
      }),
  },
  'an element that is missing from the store': {
    rule: 'store-lost',
    corrupt: (leases, pick) =>
      tell(leases).change('store', (event) => {
        if (event.lock !== 'a') return event;
        return { ...event, elements: event.elements.toSpliced(pick(event.elements.length), 1) };
      }),
  },
  'a write that the store accepted too late': {
    rule: 'store-order',
    corrupt: (leases) =>
      tell(leases).change('store', (event) => {
        const [first, ...rest] = event.audit ?? [];
        return first === undefined ? event : { ...event, audit: [...rest, first] };
      }),
  },
  'a lock that is not granted when all is calm': {
    rule: 'liveness',
    corrupt: (leases) =>
      tell(leases).change('granted', (event) =>
        event.who === 'last-1' && event.lock === 'b' ? undefined : event,
      ),
  },
  'a release that was not written down': {
    rule: 'no-end',
    corrupt: (leases) =>
      tell(leases)
        .change('releasing', () => undefined)
        .change('stopped', () => undefined),
  },
};

it.each(Object.entries(CORRUPTIONS))('rejects %s', (_name, { rule, corrupt }) => {
  fc.assert(
    fc.property(turns, fc.nat(), (all, random) => {
      const story = corrupt(leasesOf(all), (count) => random % Math.max(1, count));
      fc.pre(story !== undefined);
      expect(rulesOf(story)).toContain(rule);
    }),
    { numRuns: 100 },
  );
});
