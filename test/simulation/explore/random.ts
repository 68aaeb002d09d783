import { Violation } from '../checks/state.ts';
import type { Config } from '../config.ts';
import { enabled, wishes } from '../scheduler/enabled.ts';
import { applies, room } from '../scheduler/faults.ts';
import type { Step } from '../scheduler/step.ts';
import { take } from '../scheduler/take.ts';
import { nextInstant } from '../scheduler/time.ts';
import { newWorld, type World } from '../world.ts';
import { settleDown } from './calm.ts';
import { prepare } from './prepare.ts';
import { Rng } from './rng.ts';

export interface Outcome {
  readonly steps: number;
  readonly world: World;
  readonly violation: Violation | undefined;
  /** How long the fault-free phase took until everybody had been granted, in milliseconds. */
  readonly healedMs: number;
}

/** One run from one seed: steps with faults, then a phase without, and all checks. */
export function runOnce(config: Config, seed: number, withStory = false): Outcome {
  const { runSteps = 600 } = config;
  const rng = new Rng(seed);
  const world = newWorld(config, () => rng.next());
  if (withStory) world.story = [];
  let steps = 0;
  const count = (step: Step) => {
    steps += 1;
    world.story?.push(`            ${JSON.stringify(step)}`);
    take(world, step);
  };
  try {
    if (config.prepared !== undefined) prepare(world, count);
    // How much goes wrong differs from run to run: rare faults find other things than many at once.
    const mood = {
      fault: config.faultRate ?? 0.005 + 0.1 * rng.next() ** 3,
      wish: 0.02 + 0.3 * rng.next() ** 2,
      late: rng.next() * 0.3,
      ranked: rng.next() < 0.5 ? 0 : 0.95,
      salt: rng.below(1 << 30),
    };
    while (steps < runSteps) {
      const step = choose(world, rng, mood);
      if (step === undefined) break;
      count(step);
    }
    const healedMs = settleDown(world, (due) => rng.pick(due), count);
    return { steps, world, violation: undefined, healedMs };
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    return { steps, world, violation: error, healedMs: 0 };
  }
}

interface Mood {
  readonly fault: number;
  readonly wish: number;
  readonly late: number;
  /** How often the quickest goes first instead of anybody, and who is quick: so that a few frames are late for long. */
  readonly ranked: number;
  readonly salt: number;
}

function choose(world: World, rng: Rng, mood: Mood): Step | undefined {
  const { fault, wish, late } = mood;
  const { due, free } = enabled(world);
  const dice = rng.next();
  if (dice < fault) {
    const step = anyFault(world, rng);
    if (step !== undefined) return step;
  }
  if (dice > 1 - wish || due.length === 0) {
    const step = rng.next() < 0.5 ? rng.pick(wishes(world)) : undefined;
    if (step !== undefined) return step;
  }
  if (free.length > 0 && rng.next() < late) return rng.pick(free);
  if (due.length > 0) return rng.next() < mood.ranked ? quickest(due, mood.salt) : rng.pick(due);
  return passTime(world, rng) ?? rng.pick(free) ?? rng.pick(wishes(world));
}

/** Channels, their ways to the two queues, and clients differ in speed, by chance and for the whole run. */
function quickest(due: readonly Step[], salt: number): Step | undefined {
  let first: Step | undefined;
  let best = Number.POSITIVE_INFINITY;
  for (const step of due) {
    const who = 'channel' in step ? step.channel : 'client' in step ? step.client : 0;
    const pipe = 'of' in step && step.of === 'register' ? 7_919 : 0;
    const rank = Math.imul(who + pipe + salt, 0x9e3779b1) >>> 0;
    if (rank >= best) continue;
    best = rank;
    first = step;
  }
  return first;
}

function passTime(world: World, rng: Rng): Step | undefined {
  const next = nextInstant(world);
  if (next === undefined) return undefined;
  const gap = next - world.model.now;
  const ms = rng.next() < 0.8 ? gap : Math.max(1, Math.ceil(gap * rng.next()));
  return { do: 'advance', ms };
}

function anyFault(world: World, rng: Rng): Step | undefined {
  const { faults, maxFaults } = world.config;
  const fault = rng.pick(faults);
  if (fault === undefined || world.faults >= maxFaults) return undefined;
  const { targets, variants } = room(world, fault);
  const target = rng.below(targets);
  if (targets === 0 || !applies(world, fault, target)) return undefined;
  return { do: 'fault', fault, target, variant: rng.below(variants) };
}
