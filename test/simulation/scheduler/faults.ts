import { nextBase } from '../../../src/protocol/fence.ts';
import { waitsForLeases } from '../checks/fences.ts';
import { forgetPlaces } from '../checks/order.ts';
import { abandon } from '../client/lines.ts';
import { mintToken } from '../client/record.ts';
import { type Client, newClient } from '../client/state.ts';
import { type Fault, knowledgeIn } from '../config.ts';
import {
  changeLeader,
  closeChannel,
  dropLink,
  endConnection,
  isAsked,
  type Model,
  openChannel,
  openConnection,
  purge,
  QUEUES,
  type QueueName,
  ready,
  restartNode,
  restoreLink,
  send,
  setAlarm,
  stallLink,
} from '../model/index.ts';
import { EPOCH_MS, say, type World } from '../world.ts';
import { lines } from './time.ts';

/** By how much a wall clock is set, in milliseconds. */
const CLOCK_STEPS = [1_000, -1_000, 20_000, -20_000, 120_000, -120_000];
const ROLES = 3;
/** How long a seed was stuck that nobody may be granted. */
const STALE_MS = 120_000;
/** Whose link to a node drops. */
const BETWEEN: readonly (readonly QueueName[])[] = [QUEUES, ['lock'], ['register']];

/** How many variants there are of a fault, and how many targets; 0 targets when it makes no sense now. */
export function room(world: World, fault: Fault): { targets: number; variants: number } {
  const { model, clients } = world;
  const { length: count } = clients;
  const queues = world.config.state ? QUEUES.length : 1;
  // One link of both, of the lock's leader, or of the register's.
  const either = world.config.state ? BETWEEN.length : 1;
  switch (fault) {
    case 'crash':
      return { targets: count, variants: 2 };
    case 'pause':
    case 'suspend':
      return { targets: count, variants: 1 };
    case 'clock':
      return { targets: count, variants: CLOCK_STEPS.length };
    case 'stall':
      return { targets: count * ROLES, variants: 3 };
    case 'reset':
    case 'half-dead':
      return { targets: count * ROLES, variants: 1 };
    case 'lazy-close':
    case 'stuck-publish':
      return { targets: count, variants: 1 };
    case 'flap':
      return { targets: model.links.length, variants: losses(model) * either };
    case 'leader':
      return { targets: model.links.length, variants: queues };
    case 'cut':
    case 'restart':
      return { targets: model.links.length, variants: 1 };
    case 'alarm':
      return { targets: model.alarm ? 0 : 1, variants: 1 };
    case 'limit':
      return { targets: model.destroyNextReturn ? 0 : 1, variants: 1 };
    case 'purge':
    case 'delete':
      return { targets: QUEUES.some((of) => model.queues[of] !== undefined) ? 1 : 0, variants: queues };
    case 'junk':
      return { targets: 1, variants: queues };
    case 'second-seed':
    case 'stale-seed':
    case 'purge-new':
      return { targets: 1, variants: 1 };
  }
}

/** Below 4.3 what is on its way over a link that drops may be lost. */
const losses = ({ version }: Model): number => (version === '4.3' ? 1 : 2);

/** Whether the fault makes a difference for this target now. */
export function applies(world: World, fault: Fault, target: number): boolean {
  const { model, clients } = world;
  const client = clients[Math.floor(target / ROLES)];
  const line = client && lines(client)[target % ROLES];
  switch (fault) {
    case 'pause':
    case 'suspend':
      // A turn of its event loop goes on from the timers to the sockets.
      return clients[target]?.pausedAt === undefined && clients[target]?.resumedAt !== model.now;
    case 'clock':
      return clients[target]?.suspended === false;
    case 'stall':
      return (
        line?.connection !== undefined && line.upStalledAt === undefined && line.downStalledAt === undefined
      );
    case 'reset':
    case 'half-dead':
      return line?.connection !== undefined && model.connections.get(line.connection)?.isOpen === true;
    case 'stuck-publish': {
      const publisher = clients[target]?.lines.publisher;
      return publisher?.connection !== undefined && publisher.upStalledAt === undefined;
    }
    case 'lazy-close':
      return victim(clients[target]) !== undefined;
    case 'purge-new': {
      const isReplacing = clients.some((each) =>
        each.contenders.some(({ state }) => state.at === 'replacing'),
      );
      const { lock } = model.queues;
      return isReplacing && lock !== undefined && ready(lock).length > 0;
    }
    case 'flap':
    case 'leader':
    case 'cut': {
      const leaders = world.config.state ? QUEUES.map((of) => model.leaders[of]) : [model.leaders.lock];
      const isFree = fault === 'cut' ? !leaders.includes(target) : leaders.some((each) => each !== target);
      return isFree && [target, ...leaders].every((node) => model.links[node] === 'up');
    }
    default:
      return true;
  }
}

export function inflict(world: World, fault: Fault, target: number, variant: number): void {
  const { model, clients } = world;
  const client =
    clients[
      fault === 'stall' || fault === 'reset' || fault === 'half-dead' ? Math.floor(target / ROLES) : target
    ];
  const line = client && lines(client)[target % ROLES];
  const queue = QUEUES[variant] ?? 'lock';
  const isLong = world.config.longestStallMs > 100;
  say(world, () => `FAULT ${fault}, target ${target}, variant ${variant}`);
  switch (fault) {
    case 'crash':
      if (client !== undefined) leave(world, client, variant === 1);
      break;
    case 'pause':
    case 'suspend':
      if (client === undefined) break;
      client.pausedAt = model.now;
      client.suspended = fault === 'suspend';
      if (isLong) forgetPlaces(world, client);
      break;
    case 'clock':
      if (client === undefined) break;
      client.wallShift += CLOCK_STEPS[variant] ?? 0;
      // Both of its clocks are behind by now, so they cannot show how long it slept.
      if ((CLOCK_STEPS[variant] ?? 0) < 0 && client.monoShift < 0) {
        for (const { watched } of client.contenders) watched.excuse ??= 'woken';
      }
      forgetPlaces(world, client);
      break;
    case 'stall':
      if (line === undefined || client === undefined) break;
      if (variant !== 2) line.upStalledAt = model.now;
      if (variant !== 1) line.downStalledAt = model.now;
      if (isLong) forgetPlaces(world, client);
      break;
    case 'stuck-publish':
      if (client !== undefined) client.lines.publisher.upStalledAt = model.now;
      break;
    case 'reset':
      if (line?.connection !== undefined) endUntold(world, line.connection);
      break;
    case 'half-dead':
      if (line?.connection === undefined) break;
      line.upStalledAt ??= model.now;
      line.downStalledAt ??= model.now;
      endUntold(world, line.connection);
      break;
    case 'lazy-close': {
      const channel = model.channels.get(victim(client) ?? -1);
      if (channel === undefined) break;
      excuse(world, (id) => id === channel.id);
      closeChannel(channel, 406);
      break;
    }
    case 'flap':
      forgetPlaces(world);
      dropLink(model, target, {
        lose: variant % losses(model) === 1,
        between: (BETWEEN[Math.floor(variant / losses(model))] ?? QUEUES).filter(
          (of) => model.leaders[of] !== target,
        ),
      });
      restoreLink(model, target);
      break;
    case 'cut':
      forgetPlaces(world);
      stallLink(model, target);
      world.linkSince[target] = model.now;
      break;
    case 'leader':
      forgetPlaces(world);
      changeLeader(model, queue, target);
      break;
    case 'restart':
      for (const { id, node } of model.connections.values()) if (node === target) excuseConnection(world, id);
      restartNode(model, target);
      break;
    case 'alarm':
      setAlarm(model, true);
      break;
    case 'purge-new':
      purge(model, 'lock', 'purge');
      break;
    case 'purge':
      purge(model, queue, 'purge');
      break;
    case 'limit':
      model.destroyNextReturn = true;
      break;
    case 'delete':
      send(model, outsiderChannel(world, queue), { do: 'delete', of: queue });
      break;
    case 'second-seed':
    case 'stale-seed': {
      const wall = EPOCH_MS + model.now - (fault === 'stale-seed' ? STALE_MS : 0);
      send(model, outsiderChannel(world, 'lock'), {
        do: 'publish',
        ...mintToken(world, nextBase(wall, 0n), wall),
      });
      break;
    }
    case 'junk':
      send(model, outsiderChannel(world, queue), { do: 'publish', of: queue, label: 'junk#0', body: JUNK });
  }
}

/** What nobody can read. */
export const JUNK = new TextEncoder().encode('{"hello":"world"}');

/** The process is gone; what it has written may still be read. Another one takes its place. */
export function leave(world: World, client: Client, isReset = false): void {
  for (const line of lines(client)) {
    for (const channel of world.model.channels.values()) {
      if (isReset && channel.connection === line.connection) channel.up = [];
    }
    abandon(world, line);
  }
  const next = newClient(client.id, client.node, { acquires: client.acquires, ...knowledgeIn(world.config) });
  next.wallShift = client.wallShift;
  world.clients[client.id] = next;
}

/** The broker ends a connection on its own account. */
function endUntold(world: World, connection: number): void {
  excuseConnection(world, connection);
  endConnection(world.model, connection);
}

export function excuseConnection(world: World, connection: number): void {
  excuse(world, (id) => world.model.channels.get(id)?.connection === connection);
}

function excuse(world: World, isOn: (channel: number) => boolean): void {
  for (const client of world.clients) {
    for (const { channels, watched } of client.contenders) {
      if (!channels.some(({ channel }) => channel !== undefined && isOn(channel))) continue;
      if (!waitsForLeases(world)) watched.excuse ??= 'ended';
      watched.place = undefined;
    }
  }
}

/** An outsider's connection is of no more use once its one request is through. */
export function dismissOutsiders({ model, outsiders }: World): readonly number[] {
  return outsiders.filter((connection) => {
    const own = [...model.channels.values()].filter((channel) => channel.connection === connection);
    if (own.some((channel) => channel.up.length > 0 || isAsked(channel) || channel.busy !== undefined))
      return true;
    for (const { id } of own) model.channels.delete(id);
    model.connections.delete(connection);
    return false;
  });
}

function victim(client: Client | undefined): number | undefined {
  return client?.contenders.flatMap(({ channels }) => channels).find(({ state }) => state === 'open')
    ?.channel;
}

export function outsiderChannel(world: World, of: QueueName): number {
  const connection = openConnection(world.model, world.model.leaders[of]);
  world.outsiders = [...world.outsiders, connection];
  return openChannel(world.model, connection);
}
