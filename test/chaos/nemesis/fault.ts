import type { Direction } from '../../support/proxy-link.ts';
import type { Fleet } from '../fleet/index.ts';
import { type HistoryEventOf, nowUs } from '../history.ts';
import { removeQueue } from '../site/erlang.ts';
import { closeConsumers, replaceMember, strangers } from '../site/members.ts';
import type { Site, SiteNode } from '../site/types.ts';
import type { Caught, Wire } from '../wire/wire.ts';

export type Mended = Pick<HistoryEventOf<'mended'>, 'queue' | 'how' | 'since'> & {
  readonly nodes: readonly string[];
};

/** What the nemesis acts on. */
export interface Field {
  readonly site: Site;
  readonly fleet: Pick<Fleet, 'kill' | 'freeze' | 'hold' | 'mint' | 'whoOf'>;
  readonly wire: Wire;
  readonly locks: readonly string[];
  readonly queueOf: (lock: string) => string;
  /** Told of each queue that had no leader any more after a fault and was deleted, as an operator would. */
  readonly repaired: (queue: string) => void;
  /** Told of each queue that had members of another history after a fault, and what was done about it. */
  readonly mended: (about: Mended) => void;
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
 * Whom a fault hits: one process; anybody who contends for certain locks; anybody who is connected to a node or contends for a
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

const MEND_ATTEMPTS = 3;

/**
 * Waits until the site is whole, and replaces the members of queues that are not of the history of the others, until
 * there are none. A queue can be deleted meanwhile: hence the attempts.
 */
export async function mend({ site, mended }: Pick<Field, 'site' | 'mended'>): Promise<void> {
  await site.whole();
  let failure: unknown;
  for (let attempt = 1; attempt <= MEND_ATTEMPTS; attempt += 1) {
    const found = await strangers(site.nodes);
    if (found.size === 0) return;
    failure = new Error(`still not of one history: ${[...found.keys()].join(', ')}`);
    for (const [queue, nodes] of found) {
      const since = nowUs();
      try {
        const how = await mendQueue(site, queue, nodes);
        mended({ queue, nodes, how, since });
      } catch (error) {
        failure = error;
      }
    }
  }
  if ((await strangers(site.nodes)).size > 0) throw failure;
}

/** A queue that does nothing any more, whose members nobody can replace, is deleted once more. */
async function mendQueue({ nodes }: Site, queue: string, strange: readonly string[]): Promise<Mended['how']> {
  if (strange.length < nodes.length) {
    try {
      for (const node of strange) await replaceMember(nodes, queue, node);
      return 'replaced';
    } catch {}
  }
  for (const node of nodes) await removeQueue(node, queue);
  for (const node of nodes) await closeConsumers(node, queue);
  return 'deleted';
}

/** Mends a cluster, waits until the site is whole, and deletes the queues that the broker has lost and does not bring up. */
export async function repair(field: Pick<Field, 'site' | 'repaired' | 'mended'>): Promise<void> {
  const { site, repaired } = field;
  if (site.kind === 'cluster') await mend(field);
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
