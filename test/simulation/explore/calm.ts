import { isToken } from '../checks/fences.ts';
import { allowed } from '../checks/leases.ts';
import { forgetPlaces } from '../checks/order.ts';
import { checkEntries } from '../checks/register.ts';
import { Violation } from '../checks/state.ts';
import { isOver } from '../client/contender.ts';
import { consumers, type Held, QUEUES, ready } from '../model/index.ts';
import { enabled, wishes } from '../scheduler/enabled.ts';
import { inflict } from '../scheduler/faults.ts';
import type { Step } from '../scheduler/step.ts';
import { nextInstant } from '../scheduler/time.ts';
import type { World } from '../world.ts';

/** What stalled is noticed within 30 s, a lease ends after 15, a token that is missing is made within 51 s. */
const HEALED_MS = 200_000;
const STEPS_AT_MOST = 20_000;

/** Faults end. Everybody who waits is granted and releases, in bounded time, and a live token is left. */
export function settleDown(
  world: World,
  pick: (due: readonly Step[]) => Step | undefined,
  take: (step: Step) => void,
): number {
  const { model } = world;
  const { healsWithinMs = HEALED_MS } = world.config;
  world.calm = true;
  let from = model.now;
  forgetPlaces(world);
  model.destroyNextReturn = false;
  let last: number | undefined;
  const patience = new Patience(world);
  for (let steps = 0; ; steps += 1) {
    const { due } = enabled(world);
    if (steps > STEPS_AT_MOST) throw stuck(world);
    if (world.config.flood) flood(world, take);
    const step = pick(due) ?? wishes(world)[0];
    if (step !== undefined) {
      take(step);
    } else if (isQuiet(world)) {
      if (last !== undefined && world.checks.grants > last) break;
      last ??= world.checks.grants;
      take({ do: 'acquire', client: 0 });
    } else {
      const leaver = patience.over();
      if (leaver !== undefined) {
        take(leaver);
        continue;
      }
      const next = patience.before(nextInstant(world));
      if (next === undefined || next - from > healsWithinMs) {
        if (!endForgotten(world, take)) throw stuck(world);
        from = model.now;
        continue;
      }
      const { chatterMs = Number.POSITIVE_INFINITY } = world.config;
      const gap = next - model.now;
      take({ do: 'advance', ms: Math.min(gap, chatterMs) });
      if (gap > chatterMs) inflict(world, 'junk', 0, 0);
    }
  }
  checkToken(world);
  return model.now - from;
}

/**
 * Nobody looks as fast as others publish: behind every foreign message that somebody has in hand there is another one, and
 * one comes between a purge and the seed.
 */
function flood(world: World, take: (step: Step) => void): void {
  const queue = world.model.queues.lock;
  const inHand = world.clients.some(({ contenders }) =>
    contenders.some(
      ({ state }) =>
        (state.at === 'waiting' && state.foreign !== undefined) ||
        (state.at === 'replacing' && state.phase === 'seeding' && state.owedUntil === undefined),
    ),
  );
  if (!inHand || queue === undefined || ready(queue).length > 0) return;
  inflict(world, 'junk', 0, 0);
  for (const [channel, { connection, up }] of world.model.channels)
    if (world.outsiders.includes(connection) && up.length > 0) take({ do: 'read', channel });
}

/** Of callers who come again and again, and never wait for long. */
class Patience {
  readonly #world: World;
  readonly #since = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Somebody whose patience is over gives up. */
  over(): Step | undefined {
    const { clients, config, model } = this.#world;
    if (config.patienceMs === undefined) return undefined;
    for (const { id: client, contenders } of clients) {
      for (const { id: contender, granted, refused, state } of contenders) {
        if (granted || refused || state.at === 'released' || state.at === 'lost') continue;
        const key = `${client}.${contender}`;
        const since = this.#since.get(key) ?? model.now;
        this.#since.set(key, since);
        if (model.now - since >= config.patienceMs) return { do: 'give-up', client, contender };
      }
    }
    return undefined;
  }

  /** The next instant, or the end of somebody's patience if that is before. */
  before(next: number | undefined): number | undefined {
    const { patienceMs } = this.#world.config;
    if (patienceMs === undefined) return next;
    const ends = [...this.#since.values()].map((since) => since + patienceMs);
    const later = ends.filter((at) => at > this.#world.model.now);
    return Math.min(next ?? Number.POSITIVE_INFINITY, ...later);
  }
}

/** 3.x may attach somebody to a queue that was recreated without a word: he comes out of this by giving up. */
function endForgotten(world: World, take: (step: Step) => void): boolean {
  for (const { id, contenders } of world.clients) {
    const forgotten = contenders.find((each) => each.watched.forgotten && !isOver(each));
    if (forgotten === undefined) continue;
    allowed(world, forgotten.granted ? 'forgotten holder (3.x)' : 'forgotten waiter (3.x)');
    take({ do: forgotten.granted ? 'release' : 'give-up', client: id, contender: forgotten.id });
    return true;
  }
  return false;
}

/** Nobody waits, and nothing that was published is still to land. */
const isQuiet = (world: World): boolean =>
  world.clients.every(({ contenders, requests }) => requests.length === 0 && contenders.every(isOver));

function stuck(world: World): Violation {
  const waiting = world.clients.flatMap(({ id, contenders }) =>
    contenders.filter((each) => !isOver(each)).map((each) => `client ${id}.${each.id} (${each.state.at})`),
  );
  return new Violation(
    'it heals',
    `after ${world.config.healsWithinMs ?? HEALED_MS} ms without faults, still there: ${waiting.join(', ')}; ${queueOf(world)}`,
  );
}

function checkToken(world: World): void {
  const queue = world.model.queues.lock;
  const head = queue && ready(queue)[0];
  if (head === undefined || !isToken(head.label))
    throw new Violation('one live token', `in the end ${queueOf(world)}`);
  if (world.config.state) checkEntries(world);
}

function queueOf({ model, config }: World): string {
  return (config.state ? QUEUES : ['lock' as const])
    .map((of) => {
      const queue = model.queues[of];
      if (queue === undefined) return `there is no ${of}`;
      const line = [...consumers(queue), ...queue.cancelled];
      const held = line.map(
        (each) => `channel ${each.channel}: ${each.held.map(labelOf).join(' ') || 'nothing'}`,
      );
      return `${of}: ready: ${ready(queue).map(({ label }) => label)}; consumers: ${held}`;
    })
    .join('; ');
}

const labelOf = ({ message }: Held): string => message.label;
