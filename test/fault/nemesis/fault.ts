import type { Direction } from '../../support/proxy-link.ts';
import type { Fleet } from '../fleet/index.ts';
import { removeQueue } from '../site/erlang.ts';
import type { Site, SiteNode } from '../site/types.ts';
import type { Caught, Wire } from '../wire/wire.ts';

/** What the nemesis acts on. */
export interface Field {
  readonly site: Site;
  readonly fleet: Pick<Fleet, 'kill' | 'freeze' | 'hold' | 'mint' | 'whoOf'>;
  readonly wire: Wire;
  readonly locks: readonly string[];
  readonly queueOf: (lock: string) => string;
  /** Told of each queue that had no leader any more after a fault and was deleted, as an operator would. */
  readonly repaired: (queue: string) => void;
}

/** Whom a strike is meant for; how much of it counts depends on the fault's reach. */
export interface Target {
  readonly slot: number;
  readonly node: number;
  /** The locks whose queues are meant. */
  readonly locks: readonly string[];
  readonly lastsMs: number;
  /** One connection of a worker instead of all. */
  readonly oneLink: Caught['link'] | undefined;
}

/**
 * Whom a fault hits: one process; whoever contends for certain locks; whoever is connected to a node or contends for a
 * lock that is led by it; everybody.
 */
export type Reach = 'worker' | 'locks' | 'node' | 'leader' | 'site';

export interface Fault {
  readonly name: string;
  readonly reach: Reach;
  /** Default: both. */
  readonly site?: Site['kind'];
  /** How often it comes, in relation to others. */
  readonly weight: number;
  /** From the strike to the beginning of its end; [0, 0] for what is over at once. */
  readonly lastsMs: readonly [number, number];
  /** What it does to connections goes on after the strike: these directions stay held. */
  readonly keeps?: readonly Direction[];
  /**
   * Resolves when the fault is at work. What it returns ends the fault and resolves when all is well again: it is called
   * after `lastsMs`. Nothing is returned by what is over at once.
   */
  strike(field: Field, target: Target): Promise<Heal | undefined>;
}

export type Heal = () => Promise<unknown>;

/** Waits until the site is whole, and deletes the queues that the broker has lost and does not bring up. */
export async function repair({ site, repaired }: Pick<Field, 'site' | 'repaired'>): Promise<void> {
  for (const queue of await site.whole()) {
    for (const node of site.nodes) await removeQueue(node, queue);
    repaired(queue);
  }
}

export function nodeOf({ site }: Field, { node }: Pick<Target, 'node'>): SiteNode {
  const found = site.nodes[node];
  if (found === undefined) throw new RangeError(`there is no node ${node}`);
  return found;
}
