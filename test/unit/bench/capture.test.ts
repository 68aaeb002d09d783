import { expect, it } from 'vitest';
import { scenarioTables } from '../../../bench/report/tables.ts';
import { decodeResults, encodeResults, type Results } from '../../../bench/sample.ts';
import { type HandOff, stepsOf } from '../../../bench/scenarios/capture.ts';

const DELIVERED = 'broker → next: basic.deliver';

/** Released at 100 ms; `>` is sent and `<` is received, at so many milliseconds after it. */
function handOff(
  grantedAt: number,
  releaser: Readonly<Record<string, number>>,
  next: Readonly<Record<string, number>>,
): HandOff {
  const frames = (each: Readonly<Record<string, number>>) =>
    Object.entries(each).map(([step, atMs]) => ({
      atMs: 100 + atMs,
      sent: step.startsWith('>'),
      method: step.slice(1),
    }));
  return { releasedAt: 100, grantedAt: 100 + grantedAt, releaser: frames(releaser), next: frames(next) };
}

const usual = (later = 0) =>
  handOff(4 + later, { '>channel.close': 1, '<channel.close-ok': 2 }, { '<basic.deliver': 3 + later });

it('puts the frames of both processes into one order, with the time since the release and since the step before', () => {
  const steps = stepsOf([usual(), usual(), usual(0.5)]);
  expect([...steps.keys()]).toEqual([
    'releaser → broker: channel.close',
    'broker → releaser: channel.close-ok',
    DELIVERED,
    'next: acquire() resolves',
  ]);
  expect(steps.get(DELIVERED)).toEqual({ sinceReleaseUs: 3_000, p50Us: 1_000, p90Us: 1_500 });
});

it('tells the second frame of a kind from the first', () => {
  const first = handOff(4, { '>channel.close': 1 }, { '<basic.deliver': 2 });
  const again = { ...first, next: [...first.next, { atMs: 103, sent: false, method: 'basic.deliver' }] };
  expect([...stepsOf([again]).keys()]).toContain(`${DELIVERED} (2)`);
});

it('leaves out what comes before the release or after the grant, and what is seen now and then', () => {
  const rare = handOff(4, { '>channel.close': 1 }, { '>channel.open': 2, '<basic.deliver': 3 });
  const outside = handOff(
    4,
    { '<basic.deliver': -1, '>channel.close': 1 },
    { '<basic.deliver': 3, '>basic.nack': 5 },
  );
  expect([...stepsOf([rare, outside, outside]).keys()]).toEqual([
    'releaser → broker: channel.close',
    DELIVERED,
    'next: acquire() resolves',
  ]);
});

it('is shown as one table for each peer, of the medians of the runs', () => {
  const samples = [1, 2, 3].flatMap((run) =>
    [...stepsOf([usual(run)])].map(([part, figures]) => ({
      ...{ run, scenario: 'capture', case: 'hand-off', peer: 'naive', part, figures },
    })),
  );
  const results: Results = {
    ...{ at: '', package: '', machine: '', servers: {}, seconds: 1, runs: 3, failures: [], samples },
  };
  const [table, ...others] = scenarioTables(decodeResults(encodeResults(results)));
  expect(others).toEqual([]);
  expect(table?.title).toBe('G. One hand-off, frame by frame: naive');
  expect(table?.rows.find(([step]) => step === DELIVERED)).toEqual([DELIVERED, '5000', '3000', '3000']);
});
