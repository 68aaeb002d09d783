import { expect, it } from 'vitest';
import { Crews } from '../../../bench/measure.ts';
import { type Options, parseOptions } from '../../../bench/options.ts';
import { Progress, stagesOf } from '../../../bench/stages.ts';
import { Crew } from '../../../bench/workers/crew.ts';

function options(...args: string[]): Options {
  const parsed = parseOptions(args);
  if (parsed === 'help') throw new Error('no options');
  return parsed;
}

it('measures every case in every run', () => {
  const all = options();
  const stages = stagesOf(all);
  for (const scenario of all.scenarios) {
    for (const each of scenario.cases) {
      expect(stages.filter((stage) => stage.case === each).map(({ run }) => run)).toEqual([1, 2, 3]);
    }
  }
});

it('lets a server stand for all peers that run on it', () => {
  expect(options('--only', 'etcd').peers.map(({ id }) => id)).toEqual([
    'etcd-v3lock',
    'etcd3',
    'etcd3-tuned',
  ]);
});

it('estimates by what a case has taken, and before that by what it is thought to take', () => {
  const stages = stagesOf(
    options('--only', 'redlock,memcached', '--scenarios', 'cycle,death', '--runs', '2'),
  );
  const [cycle] = stages;
  if (cycle === undefined) throw new Error('no stages');
  const progress = new Progress(stages);
  const before = progress.left();
  // Two runs of four slices, of which one has gone and the other one is now known.
  progress.done(cycle, 100);
  expect(progress.left()).toBe(before - 2 * 4 * cycle.scenario.aboutS + 100);
  for (const stage of stages.slice(1)) progress.done(stage, 1);
  expect(progress.left()).toBe(0);
});

it('ends the processes of a slice whose time is over, and so whatever it awaits from them', async () => {
  const peer = { id: 'nobody', server: 'redis' } as const;
  const crews = new Crews(new Crew(peer));
  const [worker] = crews.add(new Crew(peer)).workers(1);
  // Without a client it is refused without end, and stubborn.
  const order = { name: 'lock', contenders: [0], holdMs: 0, stubborn: true };
  const contending = worker?.call('contend', order);
  crews.stop();
  await expect(contending).rejects.toThrow('a worker of nobody ended (SIGKILL)');
  expect(() => crews.first.workers(1)).toThrow('were stopped');
  expect(() => crews.add(new Crew(peer)).workers(1)).toThrow('were stopped');
});
