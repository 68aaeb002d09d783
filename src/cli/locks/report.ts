import type { LockSession } from '../../protocol/port.ts';
import { lockNameOf, queuePattern } from '../../protocol/queues.ts';
import { isoOf, part, readRows, text } from '../management/answers.ts';
import type { Management } from '../management/client.ts';
import { type Consumers, type Contestant, type Notice, readConsumers } from './consumers.ts';
import { lookAt, type Odd } from './look.ts';

/**
 * `held`: somebody has a place in line, and the token is not in the queue. `free`: it is. `no-token`: it is nowhere.
 * `absent`: nobody has ever used this lock, or it was deleted. `odd`: the queue of that name cannot be looked at.
 */
export type LockState = 'held' | 'free' | 'no-token' | 'absent' | 'odd';

/** Who holds or waits. What is not known is null. Times are ISO 8601, of the contestant's own clock. */
export interface Person {
  readonly service: string | null;
  readonly host: string | null;
  readonly pid: number | null;
  /** The name that it asked for, which tells in a slot; `…` at its end: cut off. */
  readonly lock: string | null;
  readonly inLineSince: string | null;
  readonly consumerTag: string;
  readonly connection: string;
}

export interface Holder extends Person {
  readonly heldSince: string | null;
  /** Decimal digits. */
  readonly fence: string | null;
}

/** One lock, as `--json` shows it. */
export interface LockReport {
  readonly lock: string;
  readonly queue: string;
  readonly state: LockState;
  /** Why it is odd; else null. */
  readonly problem: string | null;
  /** Null when nobody holds it, and when it is not known who does. */
  readonly holder: Holder | null;
  /** In line, first come first. Null without the management API. */
  readonly waiters: readonly Person[] | null;
}

const rowSchema = part({ name: text });
const NOBODY: Consumers = { contestants: [], notices: [] };

/** The queues of all locks and slots of a namespace. */
export async function listLocks(management: Management, namespace: string): Promise<string[]> {
  const query = { name: queuePattern(namespace, 'lock', 'slot'), use_regex: 'true', columns: 'name' };
  const rows = await management.list(`queues/${management.vhost}`, query);
  return [...new Set(readRows(rowSchema, rows).map(({ name }) => name))].sort();
}

/**
 * Reports on these lock queues. The state is asked of the broker by AMQP and is that of now. Who is behind it comes
 * from the management API, which hears of newcomers up to 5 s late; without it, it is not known.
 */
export async function reportOn(
  queues: readonly string[],
  {
    session,
    management,
    namespace,
  }: { session: LockSession; management: Management | undefined; namespace: string },
): Promise<LockReport[]> {
  const consumers = management === undefined ? NOBODY : await readConsumers(management, namespace);
  const inLine = new Map<string, Contestant[]>(queues.map((queue) => [queue, []]));
  for (const contestant of consumers.contestants) inLine.get(contestant.queue)?.push(contestant);
  return Promise.all(
    queues.map(async (queue): Promise<LockReport> => {
      const depth = await lookAt(session, queue);
      const state = stateOf(depth);
      const line = inLine.get(queue) ?? [];
      const active = state === 'free' ? undefined : line.find((it) => it.active);
      return {
        lock: lockNameOf(namespace, queue) ?? queue,
        queue,
        state,
        problem: isOdd(depth) ? depth.problem : null,
        holder: active === undefined ? null : holderOf(active, consumers.notices),
        waiters: management === undefined ? null : line.filter((it) => it !== active).map(personOf),
      };
    }),
  );
}

type Depth = Awaited<ReturnType<typeof lookAt>>;

const isOdd = (depth: Depth): depth is Odd => depth !== 'absent' && 'problem' in depth;

/** `consumers` counts the active one alone; something ready behind it is not the token, or is on its way to it. */
function stateOf(depth: Depth): LockState {
  if (depth === 'absent') return 'absent';
  if (isOdd(depth)) return 'odd';
  if (depth.consumers > 0) return 'held';
  return depth.ready > 0 ? 'free' : 'no-token';
}

function personOf({ claim, tag, connection }: Contestant): Person {
  return {
    service: claim?.service ?? null,
    host: claim?.host ?? null,
    pid: claim?.pid ?? null,
    lock: claim?.lock ?? null,
    inLineSince: isoOf(claim?.since),
    consumerTag: tag,
    connection,
  };
}

/** Of the active consumer of a lock queue. */
export function holderOf(active: Contestant, notices: readonly Notice[]): Holder {
  // By the tag, not by the queue: one who lost the lock and has not heard of it has a notice up as well.
  const notice = notices.find(({ queue, consumer }) => queue === active.queue && consumer === active.tag);
  return { ...personOf(active), heldSince: isoOf(notice?.since), fence: notice?.fence ?? null };
}
