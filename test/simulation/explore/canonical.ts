import type { HeldToken } from '../../../src/protocol/contender/types.ts';
import type { Client, Contender, Line } from '../client/state.ts';
import { lines } from '../scheduler/time.ts';
import { EPOCH_MS, type World } from '../world.ts';
import { modelOf, Names, type Parts } from './canonical-model.ts';
import { registerOf, savesOf } from './canonical-register.ts';

/** A release, a stall and a look are forgotten after this long. */
const FORGOTTEN_MS = 1_001;
/** So is the end of a queue: a lease and what clocks may differ. */
const DELAY_MS = 15_250;

/**
 * What two worlds have in common when they can only go on in the same way: times are relative to now, fences to the
 * clock, channels and connections are numbered as they are met, turns and delivery tags count back from the last one.
 */
export function canonical(world: World): string {
  const names = new Names();
  const parts: Parts = [];
  const { model, checks } = world;
  const zero = BigInt(Math.floor(EPOCH_MS + model.now)) << 20n;
  for (const client of world.clients) clientOf(world, client, zero, names, parts);
  for (const { connection, stalled, lastWriteAt } of world.orphans) {
    parts.push('orphan', names.of(connection), stalled, stalled && lastWriteAt - model.now);
  }
  modelOf(model, names, parts);
  for (const { base } of world.minted) parts.push(above(base, zero));
  for (const since of world.linkSince) parts.push(since !== undefined && since - model.now);
  parts.push(
    world.faults,
    world.calm,
    above(checks.accepted, zero),
    checks.destroyedAfter,
    checks.deletedAfter,
    checks.unlanded.join(' '),
    checks.stuck.join(' '),
    ...checks.newcomers,
  );
  for (const { fence, handOuts } of checks.resolved)
    parts.push(String(fence - zero), model.handOuts - handOuts);
  if (world.config.state) savesOf(world, zero, parts);
  return parts.join();
}

/** A fence by its distance from the clock; there is none below 1. */
export const above = (fence: bigint, zero: bigint): string => (fence === 0n ? '' : String(fence - zero));

/** How long ago a queue ended, up to when nobody waits for its holders any more. */
const believed = (at: number | undefined, mono: number): number | undefined =>
  at === undefined || mono - at > DELAY_MS ? undefined : mono - at;

function clientOf(world: World, client: Client, zero: bigint, names: Names, parts: Parts): void {
  const { now } = world.model;
  const mono = now + client.monoShift;
  const { record, pulse } = client;
  const { tokenWatch } = record;
  const age = (at: number | undefined) => (at === undefined ? '' : Math.min(FORGOTTEN_MS, mono - at));
  parts.push(
    'client',
    above(client.highestGranted, zero),
    client.acquires,
    client.wallShift,
    client.monoShift,
    client.suspended,
  );
  parts.push(client.resumedAt === now);
  parts.push(client.pausedAt !== undefined && client.pausedAt - now);
  parts.push(age(pulse?.last.mono), age(pulse?.previous.mono), above(record.highestSeen, zero), record.known);
  parts.push(record.registerKnown, record.wasInLine, believed(record.queueEndedAt, mono));
  parts.push(Math.max(-DELAY_MS, client.toldOfEndAt - now));
  parts.push(
    age(record.releasedAt),
    tokenWatch.waiters,
    tokenWatch.lookAt !== undefined && tokenWatch.lookAt - mono,
  );
  parts.push(
    tokenWatch.emptySince !== undefined && tokenWatch.emptySince - mono,
    Math.max(0, tokenWatch.quietUntil - mono),
  );
  for (const channelId of lines(client)) lineOf(client, channelId, now, names, parts);
  for (const { what, shared, callers, channel, channelId, payload } of client.requests) {
    parts.push(what, shared, names.of(channel), payload?.label);
    for (const { contender, call } of callers) {
      const epoch = client.contenders.find(({ id }) => id === contender)?.state.epoch ?? 0;
      if (channelId === undefined) parts.push(contender, epoch - call);
      else parts.push(contender, epoch - channelId, call);
    }
  }
  for (const contender of client.contenders) contenderOf(world, client, contender, zero, names, parts);
}

function lineOf(client: Client, channelId: Line, now: number, names: Names, parts: Parts): void {
  const { connection, dialAt, upStalledAt, downStalledAt, lastWriteAt } = channelId;
  const isSilent = client.pausedAt !== undefined || upStalledAt !== undefined;
  parts.push(names.of(connection), dialAt !== undefined && Math.max(-1, dialAt - now));
  parts.push(
    upStalledAt !== undefined && upStalledAt - now,
    downStalledAt !== undefined && downStalledAt - now,
  );
  parts.push(isSilent && lastWriteAt - now);
}

/** Every field of a protocol state by its meaning; errors, versions and names stay the same in a world. */
function contenderOf(
  world: World,
  client: Client,
  contender: Contender,
  zero: bigint,
  names: Names,
  parts: Parts,
): void {
  const { state, watched, channels } = contender;
  const { now } = world.model;
  const mono = now + client.monoShift;
  const wall = EPOCH_MS + now + client.wallShift;
  parts.push('contender', contender.id, contender.rules.mode, contender.granted, contender.refused);
  parts.push(contender.answerBy !== undefined && contender.answerBy - mono);
  const lastTag = (channelId: number) => {
    const own = channels.find((each) => each.channelId === channelId);
    return world.model.channels.get(own?.channel ?? -1)?.lastTag ?? 0;
  };
  for (const [key, value] of Object.entries(state)) {
    if (key === 'traits' || key === 'epoch' || key === 'refused') continue;
    if (key === 'line') parts.push(value === undefined ? '' : state.epoch - (value as number));
    else if (key === 'deliveryTag')
      parts.push(lastTag((state as { channelId: number }).channelId) - (value as number));
    else if (/At$|ntil$/.test(key)) {
      if (typeof value === 'number') parts.push(value - mono);
      else if (value === undefined) parts.push('');
      else {
        const { mono: m, wall: w } = value as { mono: number; wall: number };
        parts.push(m - mono, w - wall);
      }
    } else if (key === 'hold') {
      const { id, base, returns, nacked, deliveryTag, fence } = value as HeldToken;
      const tag = lastTag((state as { channelId: number }).channelId) - deliveryTag;
      parts.push(id, String(base - zero), returns, nacked, tag, String(fence - zero));
    } else if (key === 'foreign') {
      const foreign = value as { deliveryTag: number; call?: number; lookAt?: number } | undefined;
      if (foreign === undefined) continue;
      const { deliveryTag, call, lookAt } = foreign;
      parts.push(
        lastTag((state as { channelId: number }).channelId) - deliveryTag,
        call && state.epoch - call,
        lookAt && lookAt - mono,
      );
    } else parts.push(key, String(value));
  }
  for (const { channelId, channel, state: at, barrier } of channels) {
    parts.push('own', state.epoch - channelId, names.of(channel), at, barrier);
  }
  if (contender.register !== undefined)
    registerOf(contender, lastTag(contender.register.place.channelId), now, mono, zero, parts);
  const { sentAt, provenAt, handOut, grantedHandOut, floor, fence, excuse, place, overlapMs } = watched;
  parts.push(sentAt && sentAt.mono - mono, sentAt && sentAt.wall - wall, provenAt && provenAt.mono - mono);
  parts.push(
    provenAt && provenAt.wall - wall,
    world.model.handOuts - handOut,
    world.model.handOuts - grantedHandOut,
  );
  const { goneAt, knows, emptyAt, tried, purged, seeded, alone } = watched.book;
  parts.push(Math.min(101, now - goneAt), knows, Math.min(2_001, now - emptyAt), watched.handedToken);
  const { replacingSince } = watched;
  parts.push(tried, purged, seeded, alone, replacingSince !== undefined && replacingSince - mono);
  parts.push(
    watched.read,
    watched.token,
    watched.surfaced,
    watched.staleTag,
    String((watched.rival?.fence ?? zero) - zero),
    watched.rival && world.model.handOuts - watched.rival.handOuts,
  );
  parts.push(
    above(floor, zero),
    String((fence ?? zero) - zero),
    excuse,
    watched.forgotten,
    watched.foreignMessages,
    watched.unseatedAt && watched.unseatedAt - now,
    place,
    overlapMs,
    watched.hearingMs,
  );
}

/** 53 bits of two FNV hashes: among a million states two are taken for one with a chance of 1 in 18,000. */
export function digest(text: string): number {
  let a = 0x811c9dc5;
  let b = 0x1b873593;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b) + (b >>> 15);
  }
  return (a >>> 0) * 0x20_0000 + (((b ^ (b >>> 11)) >>> 11) & 0x1f_ffff);
}
