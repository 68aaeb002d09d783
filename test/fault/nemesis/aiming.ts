import type { Caught } from '../wire/wire.ts';
import type { Field } from './fault.ts';
import type { Aim, Step } from './plan.ts';
import { isInReach, type Scope, scopeOf } from './reach.ts';

export interface Aimed {
  /** In the order in which they were caught; the connection of each stands still. */
  readonly caught: readonly Caught[];
  readonly scope: Scope;
}

/** How long the first aim is waited for, and how long the others after it: leases go on running meanwhile. */
const PATIENCE_MS = 2_500;
const DELETE_PATIENCE_MS = 9_000;
const MORE_PATIENCE_MS = 700;

/**
 * Waits for the moment, in which somebody is where the strike hurts, and holds everybody who was caught still. For the
 * first aim it waits longest. A fault that hits many collects one contender for each of its aims.
 */
export async function aim(
  field: Field,
  step: Step,
  busy: ReadonlySet<number>,
  signal: AbortSignal,
): Promise<Aimed> {
  const { wire, fleet } = field;
  const fresh = `fresh-${step.id}`;
  const scope = await scopeOf(field, step, fresh);
  const caught: Caught[] = [];
  const done = new AbortController();

  const seek = async (wanted: Aim): Promise<void> => {
    const one = await wire.catch({
      phase: wanted.phase,
      moment: wanted.moment,
      signal: done.signal,
      accepts: (turn) =>
        !busy.has(turn.slot) &&
        (wanted.step === undefined || wanted.step === turn.step) &&
        caught.every(({ slot, lock }) => slot !== turn.slot && lock !== turn.lock) &&
        (scope.reach === 'worker' || isInReach(field, scope, turn)),
    });
    if (one === undefined) return;
    caught.push(one);
  };

  const [first, ...others] = step.aims;
  if (first === undefined) return { caught, scope };
  const patienceMs = first.step === 'delete' ? DELETE_PATIENCE_MS : PATIENCE_MS;
  const stop = (): void => done.abort();
  const timers = [setTimeout(stop, patienceMs)];
  signal.addEventListener('abort', stop);
  if (step.aims.some((one) => one.phase === 'minting' && one.step !== 'delete')) fleet.mint(fresh);
  try {
    const seeking = others.map(seek);
    await seek(first);
    timers.push(setTimeout(stop, MORE_PATIENCE_MS));
    await Promise.all(seeking);
  } finally {
    for (const timer of timers) clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
  return { caught, scope };
}
