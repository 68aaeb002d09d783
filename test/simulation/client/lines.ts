import { type ClientFrame, openConnection, send } from '../model/index.ts';
import { say, type World } from '../world.ts';
import { begin, failed, roleOf } from './calls.ts';
import { attachChannel, ended } from './contender.ts';
import type { Client, Line, Role } from './state.ts';

/** A lost connection is dialled again after this long. */
const DIAL_AFTER_MS = 100;

/** The line of a role; the publisher's is dialled when it is needed first. */
export function needLine(world: World, client: Client, role: Role): Line {
  const line = client.lines[role];
  if (line.connection === undefined && line.dialAt === undefined) line.dialAt = world.model.now;
  return line;
}

export function write(world: World, line: Line, channel: number, frame: ClientFrame): void {
  line.lastWriteAt = world.model.now;
  send(world.model, channel, frame);
}

export function canDial(world: World, client: Client, line: Line): boolean {
  if (line.dialAt === undefined || line.dialAt > world.model.now || client.closing) return false;
  return line.upStalledAt === undefined && line.downStalledAt === undefined;
}

/** A new connection: whatever waited for one goes on. */
export function dial(world: World, client: Client, line: Line): void {
  line.connection = openConnection(world.model, client.node, client.id < (world.config.readers ?? 0));
  line.dialAt = undefined;
  line.lastWriteAt = world.model.now;
  say(world, () => `client ${client.id} connects (${line.role})`);
  for (const asked of client.requests) {
    if (asked.channel === undefined && roleOf(asked.what) === line.role) begin(world, client, asked);
  }
  if (line.role !== 'locks') return;
  for (const contender of client.contenders) {
    for (const own of contender.channels) {
      if (own.state === 'waiting') attachChannel(world, client, own);
    }
  }
}

/** The client's end is gone; the broker has not noticed yet. */
export function abandon(world: World, { connection, upStalledAt, lastWriteAt }: Line): void {
  if (connection === undefined) return;
  world.orphans = [...world.orphans, { connection, stalled: upStalledAt !== undefined, lastWriteAt }];
}

/** The client learns that its connection is gone. What had not been read by then is lost. */
export function lineEnded(world: World, client: Client, line: Line): void {
  const { connection } = line;
  if (connection === undefined) return;
  if (world.model.connections.get(connection)?.isOpen === true) abandon(world, line);
  line.connection = undefined;
  line.dialAt = world.model.now + DIAL_AFTER_MS;
  line.upStalledAt = undefined;
  line.downStalledAt = undefined;
  say(world, () => `client ${client.id} notices the end of its connection (${line.role})`);
  const onIt = (channel: number | undefined) =>
    channel !== undefined && world.model.channels.get(channel)?.connection === connection;
  for (const asked of [...client.requests]) if (onIt(asked.channel)) failed(world, client, asked);
  for (const contender of [...client.contenders]) {
    for (const own of [...contender.channels]) {
      if (onIt(own.channel)) ended(world, client, contender, own, { scope: 'connection' });
    }
  }
}
