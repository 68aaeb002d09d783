import type { Config } from '../config.ts';
import { enabled } from '../scheduler/enabled.ts';
import { take } from '../scheduler/take.ts';
import type { World } from '../world.ts';

/** Two clients, one `acquire` each, and nothing goes wrong. */
export const QUIET: Config = {
  name: 'nothing goes wrong',
  version: '4.0',
  nodes: 1,
  clients: 2,
  contenders: 1,
  grant: 'auto',
  faults: [],
  maxFaults: 0,
  maxAcquires: 1,
  longestStallMs: 10,
  prepared: 'token',
  users: [],
  allows: [],
};

/** Whatever can happen before time passes has happened. */
export function settle(world: World): void {
  for (let [step] = enabled(world).due; step !== undefined; [step] = enabled(world).due) take(world, step);
}
