import { Violation } from '../checks/state.ts';
import type { Config } from '../config.ts';
import { consumers, type Model, type QueueName } from '../model/index.ts';
import { enabled, wishes } from '../scheduler/enabled.ts';
import { applies, room } from '../scheduler/faults.ts';
import type { Step } from '../scheduler/step.ts';
import { take } from '../scheduler/take.ts';
import { nextInstant } from '../scheduler/time.ts';
import { cloneWorld, newWorld, type World } from '../world.ts';
import { settleDown } from './calm.ts';
import { canonical, digest } from './canonical.ts';
import { prepare } from './prepare.ts';

export interface Bounds {
  readonly maxSteps: number;
  readonly maxStates: number;
  /** No time passes beyond this instant. */
  readonly horizonMs: number;
  /** Anybody who may acquire does so at once, instead of at every moment there is. */
  readonly eager: boolean;
}

export interface Explored {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  /** Every state within the bounds was seen. */
  readonly complete: boolean;
  /** How many ends were led through a phase without faults. */
  readonly ends: number;
  readonly violation: Violation | undefined;
  readonly trace: readonly Step[];
  readonly exceptions: Readonly<Record<string, number>>;
}

/** The way to a state, for the trace. */
interface Trail {
  readonly before: Trail | undefined;
  readonly step: Step;
}

interface Node {
  readonly world: World;
  readonly trail: Trail | undefined;
}

/** Half of the jitter's range: where all orders are tried, chance has no part. */
const MIDDLE = () => 0.5;
/** Besides the ends, one state in so many is led through a phase without faults. */
const SAMPLE = 64;

/** All interleavings, breadth first: the first violation found has the shortest trace. */
export function explore(config: Config, bounds: Bounds, onProgress?: (states: number) => void): Explored {
  const seen = new Set<number>();
  const tally = { transitions: 0, ends: 0, exceptions: {} as Record<string, number> };
  const start = newWorld(config, MIDDLE);
  if (config.prepared !== undefined) prepare(start, (step) => take(start, step));
  let layer: Node[] = [{ world: start, trail: undefined }];
  let depth = 0;
  let complete = true;
  const result = (violation?: Violation, trail?: Trail): Explored => {
    return { states: seen.size, depth, complete, violation, trace: unwind(trail), ...tally };
  };
  for (; layer.length > 0 && depth < bounds.maxSteps; depth += 1) {
    const next: Node[] = [];
    for (const { world, trail } of layer) {
      const steps = choices(world, bounds);
      for (const step of steps) {
        const child = steps.length === 1 ? world : cloneWorld(world);
        const way: Trail = { before: trail, step };
        tally.transitions += 1;
        try {
          take(child, step);
          const key = digest(canonical(child));
          if (seen.has(key)) continue;
          seen.add(key);
          if (seen.size % 20_000 === 0) onProgress?.(seen.size);
          if (key % SAMPLE === 0) toTheEnd(child, tally);
        } catch (error) {
          if (!(error instanceof Violation)) throw error;
          return result(error, way);
        }
        if (seen.size >= bounds.maxStates) {
          complete = false;
          return result();
        }
        next.push({ world: child, trail: way });
      }
      if (steps.length > 0) continue;
      try {
        toTheEnd(world, tally);
      } catch (error) {
        if (!(error instanceof Violation)) throw error;
        return result(error, trail);
      }
    }
    layer = next;
  }
  if (layer.length > 0) complete = false;
  return result();
}

function toTheEnd(world: World, tally: { ends: number; exceptions: Record<string, number> }): void {
  tally.ends += 1;
  const copy = cloneWorld(world);
  settleDown(
    copy,
    ([first]) => first,
    (step) => take(copy, step),
  );
  for (const [name, times] of Object.entries(copy.checks.exceptions)) {
    tally.exceptions[name] = (tally.exceptions[name] ?? 0) + (times ?? 0);
  }
}

function choices(world: World, { horizonMs, eager }: Bounds): Step[] {
  const { due, free } = enabled(world);
  const wished = wishes(world);
  const first =
    due.find((step) => isSilent(world, step)) ?? wished.find((step) => eager && step.do === 'acquire');
  if (first !== undefined) return [first];
  const steps = [...due, ...free, ...wished, ...faults(world)];
  const next = nextInstant(world);
  if (due.length === 0 && next !== undefined && next <= horizonMs) {
    steps.push({ do: 'advance', ms: next - world.model.now });
  }
  return steps;
}

/** What nobody else can notice and nobody can prevent but by ending the client: taken at once, in no particular order. */
function isSilent({ model }: World, step: Step): boolean {
  switch (step.do) {
    case 'dial':
      return true;
    case 'receive': {
      const frame = model.channels.get(step.channel)?.down[0]?.is;
      return frame === 'consume-ok' || frame === 'close-ok';
    }
    case 'apply': {
      const channel = model.channels.get(step.channel);
      return channel?.toQueue[step.of][0]?.ask === 'down' && !holdsPlace(model, step.of, step.channel);
    }
    default:
      return false;
  }
}

function holdsPlace({ queues, untold }: Model, of: QueueName, id: number): boolean {
  const queue = queues[of];
  if (untold.some((each) => each.of === of && each.channel === id)) return true;
  return (
    queue !== undefined && [...consumers(queue), ...queue.cancelled].some(({ channel }) => channel === id)
  );
}

function faults(world: World): Step[] {
  const { faults: kinds, maxFaults } = world.config;
  if (world.faults >= maxFaults) return [];
  const steps: Step[] = [];
  for (const fault of kinds) {
    const { targets, variants } = room(world, fault);
    for (let target = 0; target < targets; target += 1) {
      if (!applies(world, fault, target)) continue;
      for (let variant = 0; variant < variants; variant += 1)
        steps.push({ do: 'fault', fault, target, variant });
    }
  }
  return steps;
}

function unwind(trail: Trail | undefined): Step[] {
  const steps: Step[] = [];
  for (let at = trail; at !== undefined; at = at.before) steps.push(at.step);
  return steps.reverse();
}

/** The same way once more, told step by step. */
export function retell(config: Config, trace: readonly Step[]): string[] {
  const world = newWorld(config, MIDDLE);
  if (config.prepared !== undefined) prepare(world, (step) => take(world, step));
  world.story = [];
  try {
    for (const step of trace) {
      world.story.push(`      ${JSON.stringify(step)}`);
      take(world, step);
    }
    settleDown(
      world,
      ([first]) => first,
      (step) => take(world, step),
    );
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    world.story.push(error.message);
  }
  return world.story;
}
