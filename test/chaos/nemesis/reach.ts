import type { HistoryEventOf } from '../history.ts';
import type { Caught, Stand } from '../wire/wire.ts';
import type { Field, Reach } from './fault.ts';
import type { Step } from './plan.ts';

/** Whom a fault hits. */
export interface Scope {
  readonly reach: Reach;
  readonly slot: number;
  readonly node: number;
  readonly locks: readonly string[];
  /** Which node leads a queue. */
  readonly leaders: ReadonlyMap<string, number>;
}

/** What a step comes to in the situation of this moment. `fresh`: a name that nobody has used yet. */
export async function scopeOf(field: Field, step: Step, fresh: string): Promise<Scope> {
  const { wire, site, locks, queueOf } = field;
  const { fault, slot, lock, allLocks, aims } = step;
  const leaders = await site.leaders();
  const leading = locks.map((name) => leaders.get(queueOf(name))).filter((node) => node !== undefined);
  const connected = Array.from({ length: wire.slots }, (_, index) => [...wire.nodesOf(index)]).flat();
  // After some restarts everybody may have gathered on one node: where nobody is, a strike hurts nobody.
  const busy = [...new Set([...leading, ...connected])].sort();
  const somewhere = busy[step.node % busy.length] ?? step.node;
  const node = fault.reach === 'leader' ? (leaders.get(queueOf(lock)) ?? somewhere) : somewhere;
  const mintsOnly = aims[0]?.phase === 'minting' && aims[0].step !== 'purge';
  const meant = allLocks ? [...locks, fresh] : [mintsOnly ? fresh : lock];
  return { reach: fault.reach, slot, node, locks: meant, leaders };
}

type Where = Pick<Stand, 'slot' | 'lock'>;

export function isInReach({ wire, queueOf }: Field, scope: Scope, { slot, lock }: Where): boolean {
  switch (scope.reach) {
    case 'worker':
      return slot === scope.slot;
    case 'locks':
      return lock !== undefined && scope.locks.includes(lock);
    case 'node':
    case 'leader':
      return (
        wire.nodesOf(slot).has(scope.node) ||
        (lock !== undefined && scope.leaders.get(queueOf(lock)) === scope.node)
      );
    case 'site':
      return true;
  }
}

/** Everybody in reach, by what the wire shows now; of who was caught it is known for certain. */
export function hits(field: Field, scope: Scope, caught: readonly Caught[]): HistoryEventOf<'struck'>['hit'] {
  const { wire, fleet } = field;
  const isOfCaught = (stand: Stand): boolean =>
    caught.some(
      ({ slot, lock, phase, link }) =>
        // A frame that ends a phase was read already, but it has not been passed on.
        slot === stand.slot && lock === stand.lock && (link === stand.link || phase === 'minting'),
    );
  const others = wire.stands().filter((stand) => !isOfCaught(stand));
  const seen = [...caught.map((stand) => ({ ...stand, held: true as const })), ...others];
  return seen
    .filter((stand) => isInReach(field, scope, stand))
    .map((stand) => {
      const held = 'held' in stand || caught.some(({ link }) => link === stand.link);
      const { slot, lock, phase } = stand;
      return { who: fleet.whoOf(slot), ...(lock && { lock }), phase, ...(held && { held: true as const }) };
    });
}
