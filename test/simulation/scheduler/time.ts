import { BEAT_MS, beat } from '../../../src/protocol/stall-detector.ts';
import { watchWakeAt } from '../../../src/protocol/token-watch.ts';
import { overlapGrows } from '../checks/leases.ts';
import type { Client, Line } from '../client/state.ts';
import { nextWake } from '../client/wake.ts';
import { TIMES } from '../config.ts';
import { EPOCH_MS, type World } from '../world.ts';

/** Nodes give each other up after this long without a word (net_ticktime; seen: 74 s and more until the hand-over). */
export const LINK_NOTICED_MS = 60_000;
/** 4.3 waits this long for a node whose link is down before it takes back what its consumers hold. */
export const LINK_PATIENCE_MS = 60_000;

export const lines = ({ lines: { locks, service, publisher } }: Client): readonly Line[] => [
  locks,
  service,
  publisher,
];

/** When the broker heard of this client last. A client that runs and has a line is heard all the time. */
export function heardAt(client: Client, line: Line): number | undefined {
  const since = Math.min(client.pausedAt ?? Infinity, line.upStalledAt ?? Infinity);
  if (since === Infinity) return undefined;
  return Math.max(line.lastWriteAt, since - TIMES.heartbeatMs);
}

/** From then on something may happen that time alone brings about; never in the past. */
export function nextInstant(world: World): number | undefined {
  const { model } = world;
  let next = Number.POSITIVE_INFINITY;
  const at = (instant: number | undefined) => {
    if (instant !== undefined && instant > model.now && instant < next) next = instant;
  };
  for (const client of world.clients) {
    for (const line of lines(client)) lineInstants(world, client, line, at);
    if (client.pausedAt !== undefined) {
      at(client.pausedAt + world.config.longestStallMs);
      continue;
    }
    for (const contender of client.contenders) {
      const wake = nextWake(contender);
      if (wake !== undefined) at(wake - client.monoShift);
    }
    const look = watchWakeAt(client.record.tokenWatch);
    if (look !== undefined) at(look - client.monoShift);
  }
  for (const { stalled, lastWriteAt } of world.orphans) if (stalled) at(lastWriteAt + 2 * TIMES.heartbeatMs);
  for (const { tellAt } of model.untold) at(tellAt);
  world.linkSince.forEach((since, node) => {
    if (since === undefined) return;
    if (model.links[node] === 'stalled') at(since + LINK_NOTICED_MS);
    else if (model.links[node] === 'down') at(since + LINK_PATIENCE_MS);
    at(since + world.config.longestStallMs);
  });
  return next === Number.POSITIVE_INFINITY ? undefined : next;
}

function lineInstants(
  world: World,
  client: Client,
  line: Line,
  at: (instant: number | undefined) => void,
): void {
  const { heartbeatMs } = TIMES;
  at(line.dialAt);
  const { upStalledAt, downStalledAt, connection } = line;
  if (upStalledAt !== undefined) at(upStalledAt + world.config.longestStallMs);
  if (downStalledAt !== undefined) at(downStalledAt + world.config.longestStallMs);
  if (connection === undefined) return;
  const heard = heardAt(client, line);
  if (heard !== undefined) {
    at(heard + 2 * heartbeatMs);
    at(heard + 3 * heartbeatMs);
  }
  if (downStalledAt !== undefined && client.pausedAt === undefined) {
    at(downStalledAt + 2 * heartbeatMs);
    at(downStalledAt + 3 * heartbeatMs);
  }
}

/** All clocks move. */
export function pass(world: World, ms: number): void {
  overlapGrows(world, ms);
  world.model.now += ms;
  for (const client of world.clients) {
    if (client.suspended) client.monoShift -= ms;
    if (client.pausedAt === undefined) beatUntilNow(world, client);
  }
}

/** The beats that a running process has had meanwhile: only the last two are remembered. */
function beatUntilNow({ model }: World, client: Client): void {
  const mono = model.now + client.monoShift;
  const instant = (at: number) => ({ mono: at, wall: at - client.monoShift + EPOCH_MS + client.wallShift });
  client.pulse ??= beat(undefined, instant(mono));
  const last = client.pulse.last.mono;
  const beats = Math.floor((mono - last) / BEAT_MS);
  if (beats >= 2) client.pulse = beat(client.pulse, instant(last + (beats - 1) * BEAT_MS));
  if (beats >= 1) client.pulse = beat(client.pulse, instant(last + beats * BEAT_MS));
}
