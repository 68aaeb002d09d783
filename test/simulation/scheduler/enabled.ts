import { canDial } from '../client/lines.ts';
import { tokenWatchDue } from '../client/record.ts';
import type { Client } from '../client/state.ts';
import { nextWake } from '../client/wake.ts';
import { TIMES } from '../config.ts';
import { brokerSteps } from '../model/index.ts';
import { instantOf, type World } from '../world.ts';
import type { Step } from './step.ts';
import { heardAt, LINK_NOTICED_MS, LINK_PATIENCE_MS, lines } from './time.ts';

export interface Enabled {
  /** What happens before time passes: nothing is in its way. */
  readonly due: Step[];
  /** What may happen now or later. */
  readonly free: Step[];
}

/** What can happen without anybody's wish. */
export function enabled(world: World): Enabled {
  const { model } = world;
  const due: Step[] = [];
  const free: Step[] = [];
  const stalled = stalledConnections(world);
  for (const step of brokerSteps(model)) {
    if (step.do !== 'read') due.push(step);
    else {
      const connection = model.channels.get(step.channel)?.connection ?? -1;
      if (world.outsiders.includes(connection) && !world.calm) free.push(step);
      else if (!stalled.has(connection)) due.push(step);
    }
  }
  for (const client of world.clients) {
    if (client.pausedAt === undefined) running(world, client, due, free);
    for (const line of lines(client)) {
      const heard = heardAt(client, line);
      if (heard === undefined || line.connection === undefined) continue;
      const connection = model.connections.get(line.connection);
      // The heartbeat of a blocked connection is not watched (seen: a dead holder on it is not noticed).
      if (connection?.isOpen !== true || connection.blocked) continue;
      const step = { do: 'give-up-connection', connection: line.connection } as const;
      sort(model.now - heard, 2 * TIMES.heartbeatMs, 3 * TIMES.heartbeatMs, step);
    }
  }
  for (const { connection, stalled: isStalled, lastWriteAt } of world.orphans) {
    if (model.connections.get(connection)?.blocked) continue;
    const step = { do: 'give-up-connection', connection } as const;
    if (isStalled) sort(model.now - lastWriteAt, 2 * TIMES.heartbeatMs, 3 * TIMES.heartbeatMs, step);
    else due.push(step);
  }
  world.linkSince.forEach((since, node) => {
    if (since === undefined) return;
    const age = model.now - since;
    if (model.links[node] === 'stalled') {
      sort(age, LINK_NOTICED_MS, 2 * LINK_NOTICED_MS, { do: 'link-noticed', node });
    } else if (model.links[node] === 'down' && model.version === '4.3') {
      sort(age, LINK_PATIENCE_MS, 2 * LINK_PATIENCE_MS, { do: 'link-patience', node });
    }
    sort(age, 0, world.config.longestStallMs, { do: 'link-restore', node });
  });
  heals(world, free, due);
  return { due, free };

  function sort(age: number, from: number, until: number, step: Step): void {
    if (age >= until) due.push(step);
    else if (age >= from) free.push(step);
  }
}

function running(world: World, client: Client, due: Step[], free: Step[]): void {
  const { model } = world;
  const { mono } = instantOf(world, client);
  for (const line of lines(client)) {
    if (canDial(world, client, line)) due.push({ do: 'dial', client: client.id, role: line.role });
    if (line.connection === undefined) continue;
    const notice = { do: 'notice-end', client: client.id, role: line.role } as const;
    const isDead = model.connections.get(line.connection)?.isOpen !== true;
    if (line.downStalledAt === undefined) {
      if (isDead) due.push(notice);
    } else {
      const silence = model.now - line.downStalledAt;
      if (silence >= 3 * TIMES.heartbeatMs) due.push(notice);
      else if (silence >= 2 * TIMES.heartbeatMs) free.push(notice);
    }
  }
  const { locks, service, publisher } = client.lines;
  const receive = (id: number | undefined) => {
    if (id === undefined) return;
    const channel = model.channels.get(id);
    if (channel === undefined || channel.down.length === 0) return;
    for (const line of [locks, service, publisher]) {
      if (line.connection !== channel.connection) continue;
      if (line.downStalledAt === undefined) due.push({ do: 'receive', client: client.id, channel: id });
    }
  };
  for (const { channel } of client.requests) receive(channel);
  for (const contender of client.contenders) {
    for (const { channel } of contender.channels) receive(channel);
    const at = nextWake(contender);
    if (at !== undefined && at <= mono) due.push({ do: 'wake', client: client.id, contender: contender.id });
  }
  if (tokenWatchDue(world, client)) due.push({ do: 'token-watch', client: client.id });
}

function heals(world: World, free: Step[], due: Step[]): void {
  const { model } = world;
  const limit = world.calm ? 0 : world.config.longestStallMs;
  for (const { id, pausedAt, lines: each } of world.clients) {
    if (pausedAt !== undefined) {
      (model.now - pausedAt >= limit ? due : free).push({ do: 'resume', client: id });
    }
    for (const { role, upStalledAt, downStalledAt } of [each.locks, each.service, each.publisher]) {
      const since = upStalledAt ?? downStalledAt;
      if (since === undefined) continue;
      (model.now - since >= limit ? due : free).push({ do: 'unstall', client: id, role });
    }
  }
  if (model.alarm) (world.calm ? due : free).push({ do: 'alarm-over' });
  if (world.calm) {
    world.linkSince.forEach((since, node) => {
      if (since !== undefined) due.push({ do: 'link-restore', node });
    });
  }
}

function stalledConnections(world: World): Set<number> {
  const stalled = new Set<number>();
  for (const client of world.clients) {
    for (const { connection, upStalledAt } of lines(client)) {
      if (connection !== undefined && upStalledAt !== undefined) stalled.add(connection);
    }
  }
  for (const { connection, stalled: isStalled } of world.orphans) if (isStalled) stalled.add(connection);
  return stalled;
}

/** What users wish for now. */
export function wishes(world: World): Step[] {
  const { config } = world;
  const users = config.users ?? [];
  const steps: Step[] = [];
  for (const client of world.clients) {
    if (client.pausedAt !== undefined) continue;
    const open = client.contenders.filter(({ state }) => state.at !== 'released' && state.at !== 'lost');
    if (!world.calm && open.length < config.contenders && client.acquires < config.maxAcquires) {
      steps.push({ do: 'acquire', client: client.id });
      if (users.includes('try')) steps.push({ do: 'try', client: client.id });
    }
    if (!world.calm && users.includes('shutdown') && open.length > 0) {
      steps.push({ do: 'shutdown', client: client.id });
    }
    for (const { id, granted, refused, state, saves, leavesWith } of open) {
      const of = { client: client.id, contender: id };
      if (granted && (state.at === 'held' || state.at === 'verifying')) {
        const { maxSaves = 3 } = config;
        const mayLeave = world.calm || !users.includes('keep');
        const maySave =
          config.state && leavesWith === undefined && (world.calm ? maxSaves > 0 : saves < maxSaves);
        if (maySave && mayLeave) steps.push({ do: 'leave', ...of });
        if (maySave && !world.calm) steps.push({ do: 'save', ...of });
        const waits = world.calm && leavesWith !== undefined;
        if (!waits && mayLeave) steps.push({ do: 'release', ...of });
        if (users.includes('pass-on') && !world.calm && leavesWith === undefined)
          steps.push({ do: 'pass-on', ...of });
        if (users.includes('verify') && !world.calm) steps.push({ do: 'verify', ...of });
        if (users.includes('write') && !world.calm) steps.push({ do: 'write', ...of });
      } else if (!granted && !refused && !world.calm && users.includes('give-up')) {
        steps.push({ do: 'give-up', ...of });
      }
    }
  }
  return steps;
}
