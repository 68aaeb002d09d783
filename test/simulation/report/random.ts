import type { Config } from '../config.ts';
import { type Outcome, runOnce } from '../explore/random.ts';
import { printTable, type Rows } from './table.ts';

/** A run of its own number is drawn from a seed like this. */
const STRIDE = 1_000_003;

interface Plan {
  readonly seeds: readonly number[];
  /** Of all worlds and seeds together; undefined for one run of each. */
  readonly steps: number | undefined;
  readonly trace: boolean;
}

/** Prints one line for each world. `holds` is false when a rule was broken. */
export function runRandom(
  configs: readonly Config[],
  { seeds, steps, trace }: Plan,
): { holds: boolean; rows: Rows } {
  console.log(`random: seeds ${seeds.join(', ')}${steps === undefined ? '' : `, ${steps} steps in all`}`);
  const rows: (string | number)[][] = [
    [
      'world',
      'steps',
      'runs',
      'grants',
      'losses',
      'saves',
      'healed in ms',
      'overlap ms',
      'ends of promises that were met',
    ],
  ];
  const began = performance.now();
  let taken = 0;
  let holds = true;
  for (const [done, config] of configs.entries()) {
    if (steps !== undefined && done % 8 === 0 && done > 0)
      console.log(`  ${done} of ${configs.length} worlds …`);
    const share = steps === undefined ? 0 : steps / configs.length / seeds.length;
    const sums = { steps: 0, runs: 0, grants: 0, losses: 0, saved: 0, healedMs: 0, overlapMs: 0 };
    const exceptions = new Map<string, number>();
    let broken = false;
    for (const first of seeds) {
      let left = share;
      for (let seed = first; left >= 0 && !broken; seed = (seed + STRIDE) % 2 ** 32) {
        const outcome = runOnce(config, seed, trace && steps === undefined);
        left -= outcome.steps;
        add(sums, exceptions, outcome);
        if (outcome.world.story !== undefined) console.log(outcome.world.story.join('\n'));
        if (outcome.violation === undefined) continue;
        broken = true;
        holds = false;
        console.log(
          `VIOLATION in world "${config.name}", step ${outcome.steps}: ${outcome.violation.message}`,
        );
        console.log(`  again: npm run test:simulation -- --seed ${seed} --config '${config.name}' --trace`);
      }
    }
    taken += sums.steps;
    const met = [...exceptions].map(([name, times]) => `${name}: ${times}`).join('; ');
    const { runs, grants, losses, saved, healedMs, overlapMs } = sums;
    rows.push([
      config.name,
      sums.steps,
      runs,
      grants,
      losses,
      saved,
      Math.round(healedMs),
      Math.round(overlapMs),
      met,
    ]);
  }
  printTable(rows);
  const seconds = (performance.now() - began) / 1_000;
  console.log(`  ${taken} steps in ${seconds.toFixed(1)} s, ${Math.round(taken / seconds)} a second\n`);
  return { holds, rows };
}

interface Sums {
  steps: number;
  runs: number;
  grants: number;
  losses: number;
  saved: number;
  healedMs: number;
  overlapMs: number;
}

function add(sums: Sums, exceptions: Map<string, number>, { steps, world, healedMs }: Outcome): void {
  const { checks } = world;
  sums.steps += steps;
  sums.runs += 1;
  sums.grants += checks.grants;
  sums.losses += checks.losses;
  sums.saved += checks.saved;
  sums.healedMs = Math.max(sums.healedMs, healedMs);
  sums.overlapMs = Math.max(sums.overlapMs, checks.longestOverlapMs);
  for (const [name, times] of Object.entries(checks.exceptions)) {
    exceptions.set(name, (exceptions.get(name) ?? 0) + (times ?? 0));
  }
}
