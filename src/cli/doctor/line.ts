import { DRIFT_MS } from '../../protocol/contender/delaying.ts';
import type { Consumers, Contestant } from '../locks/consumers.ts';
import { quote } from '../quote.ts';
import type { Finding } from './finding.ts';
import { grouped } from './grouped.ts';
import type { LockQueue, Whereabouts } from './tokens.ts';

/** Somebody whom the token does not seem to reach. */
export interface Unserved {
  readonly queue: LockQueue;
  /**
   * `silent`: it is the active consumer, and has put up no notice that it holds. `forgotten`: it waits, says its node,
   * and the queue knows of nobody in line.
   */
  readonly how: 'silent' | 'forgotten';
  readonly who: Contestant;
}

/** A holder tells after a second, and the management API up to 5 s later; the rest is for slow machines. */
const TOLD_MS = 12_000;

/** How long somebody is silent, or forgotten, before it is told: longer than that goes by itself. */
export function unservedAfterMs({ delays, leaseMs }: { delays: boolean; leaseMs: number }): number {
  return TOLD_MS + (delays ? leaseMs + DRIFT_MS : 0);
}

/** At this moment, by the name of the queue. */
export function unservedIn(
  queues: readonly LockQueue[],
  { contestants, notices }: Consumers,
): Map<string, Unserved> {
  const found = new Map<string, Unserved>();
  for (const queue of queues) {
    if (queue.part !== 'lock') continue;
    // Of a consumer without a connection the API has kept an old entry.
    const line = contestants.filter((it) => it.queue === queue.name && it.connection !== '');
    const active = line.find((it) => it.active);
    const [first] = line;
    if (queue.used && active !== undefined) {
      const told = notices.some((it) => it.queue === queue.name && it.consumer === active.tag);
      if (!told) found.set(queue.name, { queue, how: 'silent', who: active });
    } else if (!queue.used && queue.ready > 0 && first !== undefined) {
      found.set(queue.name, { queue, how: 'forgotten', who: first });
    }
  }
  return found;
}

/** Those of before that are so still: the same one, in the same way. */
export function stillUnserved(
  before: ReadonlyMap<string, Unserved>,
  now: ReadonlyMap<string, Unserved>,
): Map<string, Unserved> {
  return new Map(
    [...now].filter(([name, { how, who }]) => {
      const then = before.get(name);
      return then?.how === how && then.who.tag === who.tag;
    }),
  );
}

export function lineFindings(unserved: Iterable<Unserved>, { vhost }: Whereabouts): Finding[] {
  // The active consumer has the token only if it is not destroyed. The API counts that late, so it is asked last.
  const certain = [...unserved].filter(
    ({ how, queue }) => how === 'forgotten' || (queue.unacknowledged ?? 0) > 0,
  );
  return grouped(
    certain.map((it) => {
      const { queue, how, who } = it;
      const tell = how === 'silent' ? silent : forgotten;
      const about = {
        check: 'line',
        of: `lock ${JSON.stringify(queue.lock)}`,
        says: tell(it, who.tag),
        saysOfMany: tell(it, 'somebody'),
      };
      if (queue.members < 2) return { ...about, level: how === 'silent' ? 'note' : 'warning' };
      const place = `--vhost ${quote(vhost)} ${quote(queue.name)} ${quote(who.node)}`;
      const fix = `rabbitmq-queues delete_member ${place} && rabbitmq-queues add_member ${place}`;
      return { ...about, level: 'warning', fix };
    }),
  );
}

function silent({ queue, who }: Unserved, name: string): string {
  const found = `was handed to ${name}, who has not told that it holds it`;
  const usual =
    'a client in another language and a user without configure tell nothing, nor does a program that stands still';
  return queue.members < 2
    ? `${found}: ${usual}`
    : `${found}. If that program says that it waits, ${oldMember(who)}. Else: ${usual}`;
}

function forgotten({ queue, who }: Unserved, name: string): string {
  const found = `is free, and ${name} waits for it in vain: `;
  return queue.members < 2
    ? `${found}the lock was deleted and recreated, and it was not told. Restart that program`
    : `${found}${oldMember(who)}`;
}

const oldMember = ({ node }: Contestant): string =>
  `${node} has an old member of the queue, because it was away when the lock was deleted. With all nodes up, replace the member and restart the programs that wait through ${node}`;
