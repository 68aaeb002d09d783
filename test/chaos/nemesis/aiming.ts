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
const START_OVER_PATIENCE_MS = 9_000;
const MORE_PATIENCE_MS = 1_000;
const HOLDER_PATIENCE_MS = 500;

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
  if (step.aims.some((one) => one.phase === 'minting' && one.step !== 'purge')) fleet.mint(fresh);

  const seek = async (wanted: Aim, until: AbortSignal): Promise<void> => {
    const one = await wire.catch({
      phase: wanted.phase,
      moment: wanted.moment,
      signal: until,
      accepts: (turn) =>
        !busy.has(turn.slot) &&
        (wanted.step === undefined || wanted.step === turn.step) &&
        caught.every(({ slot, lock }) => slot !== turn.slot && lock !== turn.lock) &&
        (scope.reach === 'worker' || isInReach(field, scope, turn)),
    });
    if (one !== undefined) caught.push(one);
  };
  /** One after the other would be too slow, and with each that is held fewer move. */
  const seekAll = async (aims: readonly Aim[], firstMs: number, moreMs: number): Promise<void> => {
    const [first, ...others] = aims;
    if (first === undefined) return;
    const done = new AbortController();
    const stop = (): void => done.abort();
    const timers = [setTimeout(stop, firstMs)];
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    const seeking = others.map((one) => seek(one, done.signal));
    await seek(first, done.signal);
    timers.push(setTimeout(stop, moreMs));
    await Promise.all(seeking);
    for (const timer of timers) clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  };

  const [first] = step.aims;
  const patienceMs = first?.step === 'purge' ? START_OVER_PATIENCE_MS : PATIENCE_MS;
  // There is always somebody who holds, and a lock whose holder stands still shows no other phase. So a holder is taken
  // at once only where the plan puts it early, and else when the others had their chance.
  const isLate = ({ phase }: Aim, index: number): boolean => phase === 'holding' && index > 1;
  await seekAll(
    step.aims.filter((one, index) => !isLate(one, index)),
    patienceMs,
    MORE_PATIENCE_MS,
  );
  await seekAll(step.aims.filter(isLate), HOLDER_PATIENCE_MS, 0);
  return { caught, scope };
}
