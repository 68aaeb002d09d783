import { expect, it } from 'vitest';
import { check } from '../checker/index.ts';
import { Story } from '../checker/story.ts';
import { type RunSummary, summarise, summarySchema } from './summary.ts';
import { nameOf, render } from './table.ts';

const hit = (who: string, phase: 'holding' | 'releasing', held?: true) => ({ who, lock: 'a', phase, held });

function run(plan = {}): RunSummary {
  const story = new Story({ version: '4.0.5', site: 'cluster', ...plan })
    .hold('w0-1', 10, { from: 100, to: 900, ending: 'lost', writes: [150] })
    .strike(1, 'node-flap', 490, 490, { hit: [hit('w0-1', 'holding'), hit('w1-1', 'releasing')] })
    .hold('w1-1', 13, { from: 500, to: 1_000, writes: [950] })
    .hold('w2-1', 16, { from: 30_000, to: 30_100, ending: 'killed' })
    .strike(2, 'worker-kill', 30_100, 30_100, { hit: [hit('w2-1', 'releasing')] })
    .hold('w1-1', 19, { from: 30_125, to: 30_200 });
  return summarise(check(story.end(40_000).history()));
}

const cellsOf = (text: string, ...start: string[]) =>
  text
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .find((cells) => start.every((cell, index) => cells[index + 1] === cell))
    ?.slice(1, -1);

it('says of each fault what it did', () => {
  const { violations, faults } = run();
  expect(violations).toEqual({});
  expect(faults['node-flap']).toMatchObject({
    strikes: 1,
    phases: { holding: 1 },
    overlaps: 1,
    longestOverlapMs: 400,
    nextGrantMs: [10],
    leasesLost: 1,
  });
  expect(faults['worker-kill']).toMatchObject({ phases: { releasing: 1 }, overlaps: 0, nextGrantMs: [25] });
});

it('adds up the runs of a version and site, and keeps others apart', () => {
  const text = render([run(), run({ seed: 2 }), run({ version: '4.3.6', grant: 'auto' })]);
  const start = ['node-flap', '4.0.5', 'cluster', 'verified'];
  expect(cellsOf(text, ...start)?.slice(4)).toEqual([
    '2',
    '2 (400 ms)',
    '0',
    '0 / 0',
    '10 ms, 10 ms',
    '2',
    '300 ms',
  ]);
  expect(cellsOf(text, 'node-flap', '4.3.6', 'cluster', 'immediate')?.at(4)).toBe('1');
});

it('shows the violations of each run, and the naive build apart', () => {
  const text = render([run(), run({ version: '4.3.6' }), run({ build: 'naive', seed: 9 })]);
  expect(cellsOf(text, '4.0.5', 'cluster', 'verified', '1')?.at(-1)).toBe('none');
  expect(cellsOf(text, '4.3.6', 'cluster', 'verified', '1')?.at(-1)).toBe('mutual-exclusion 1');
  expect(cellsOf(text, '4.0.5', 'cluster', '–', '9')).toBeDefined();
});

it('counts the queues that were mended, and says so when nobody looked', () => {
  const story = new Story({ version: '4.0.5', site: 'cluster' })
    .tell(500, {
      type: 'mended',
      since: 400_000,
      queue: 'baton.default.lock.a',
      nodes: ['rabbit@n3'],
      how: 'replaced',
    })
    .tell(900, {
      type: 'mended',
      since: 400_000,
      queue: 'baton.default.lock.b',
      nodes: ['rabbit@n3'],
      how: 'replaced',
    });
  const looked = summarise(check(story.end(9_000).history()));
  const { mended: _, ...before } = run({ seed: 2 });
  const text = render([looked, summarySchema.parse(before)]);
  const cell = (seed: string) => cellsOf(text, '4.0.5', 'cluster', 'verified', seed)?.at(-2);
  expect([cell('1'), cell('2')]).toEqual(['2', '–']);
  expect(looked.violations).toEqual({});
});

it('reads back what it keeps', () => {
  const summary = run();
  expect(summarySchema.parse(JSON.parse(JSON.stringify(summary)))).toEqual(summary);
  expect(nameOf(summary)).toBe('baton-4.0.5-cluster-verified-seed1-1min');
});
