import type { Contender, Excuse, Watched } from '../client/state.ts';
import { consumers, ready } from '../model/index.ts';
import { say, type World } from '../world.ts';
import { allowed, isOldDelivery, numberOf, short } from './leases.ts';
import { forgetPlaces } from './order.ts';
import { watchRegister } from './register.ts';
import { Violation } from './state.ts';

/**
 * If one acquire resolved before another's token was delivered, the later fence is greater. `delivered` is when the
 * client read it; for an immediate grant, when the queue handed it out.
 */
export function checkFence(world: World, contender: Contender, fence: bigint): void {
  const { watched } = contender;
  const { resolved, highestResolved } = world.checks;
  if (fence > highestResolved) return;
  const rivals = resolved.filter((grant) => grant.fence >= fence);
  const before = rivals.find(({ handOuts }) => handOuts < watched.grantedHandOut);
  const isImmediate = watched.sentAt === undefined && contender.register === undefined;
  const rival = before ?? (fence <= watched.floor ? rivals[0] : undefined);
  if (rival === undefined || isException(world, watched, rival.token)) return;
  if (before === undefined && isImmediate) {
    allowed(world, 'immediate grant of an old delivery');
    watched.excuse ??= 'ended'; // the end of its connection comes right behind the delivery
    return;
  }
  if (before === undefined && isOldDelivery(world, watched, rival)) {
    allowed(world, 'old delivery taken for the answer');
    return;
  }
  const what = `${short(world, watched.token, fence)} is granted after ${short(world, rival.token, rival.fence)} was`;
  throw new Violation('fences rise', what);
}

/** The exceptions that docs/guarantees.md states, as narrow as they are stated there. */
function isException(world: World, { token, surfaced }: Watched, rival: number): boolean {
  const mine = world.minted[token];
  const theirs = world.minted[rival];
  if (mine === undefined || theirs === undefined || surfaced) return false;
  if (token !== rival && token < world.checks.destroyedAfter) {
    allowed(world, 'token destroyed, older seed alive');
    return true;
  }
  if (token !== rival && token < world.checks.deletedAfter) {
    allowed(world, 'queue deleted, older seed stuck');
    return true;
  }
  if (token !== rival && world.checks.stuck.includes(token)) {
    allowed(world, 'token replaced, older seed stuck');
    return true;
  }
  if (token > rival && mine.aheadMs < theirs.aheadMs) {
    allowed(world, 'clock behind at a new token');
    return true;
  }
  return false;
}

/** What the leader did is looked at after every step. */
export function watchBroker(world: World): { destroyed: boolean } {
  const { model, checks } = world;
  let destroyed = false;
  for (const event of model.events) {
    if (event.was === 'handed') {
      const { label, returns } = event.message;
      say(world, () => `the ${event.of} hands ${label}+${returns} to ${owner(world, event.channel)}`);
    }
    if (event.was === 'forgotten') {
      const watched = find(world, event.channel)?.watched;
      if (watched !== undefined) watched.forgotten = true;
    }
    if (event.of === 'register') {
      watchRegister(world, event);
      continue;
    }
    switch (event.was) {
      case 'acked':
        if (isToken(event.message.label)) checks.stuck = checks.unlanded;
        break;
      case 'purged':
        checks.unlanded = unlanded(world);
        break;
      case 'destroyed':
        if (isToken(event.message.label)) {
          destroyed ||= event.why !== 'unrouted';
          forgetPlaces(world); // its holder, if it has not got the lease yet, begins again
          say(world, () => `${event.message.label} is destroyed (${event.why})`);
          if (event.why !== 'unrouted' && waitsForLeases(world))
            excuseHolders(world, numberOf(event.message.label));
          if (event.why === 'deleted') checks.deletedAfter = world.minted.length;
          else if (event.why === 'limit')
            throw new Violation('one live token', 'the broker destroyed the token by its limit');
          else if (event.why !== 'unrouted') checks.destroyedAfter = world.minted.length;
        }
        break;
      case 'deposed':
        excuse(world, event.channel, 'link');
        break;
      case 'unseated':
        excuse(world, event.channel, 'deleted');
        break;
      case 'forgotten':
        excuse(world, event.channel, 'forgotten');
        break;
      case 'queue-deleted':
        forgetPlaces(world); // anybody who waited may come back in another order
        break;
      case 'attached':
        place(world, event.channel);
    }
  }
  model.events = [];
  if (model.alarm) checkBlocked(world);
  checkOneHeld(world);
  if (world.config.keepsToken) checkKept(world);
  return { destroyed };
}

/** Tokens that were made, and are not in the queue. */
function unlanded({ model, minted }: World): number[] {
  const queue = model.queues.lock;
  if (queue === undefined) return [];
  const held = [...consumers(queue), ...queue.cancelled].flatMap((each) => each.held);
  const landed = new Set([...ready(queue), ...held.map(({ message }) => message)].map(({ label }) => label));
  return [...minted.keys()].filter((number) => !landed.has(minted[number]?.label ?? ''));
}

/** An alarm may stop what is published, and nothing else. */
function checkBlocked({ model }: World): void {
  for (const { connection, consumes, up } of model.channels.values()) {
    if (model.connections.get(connection)?.blocked !== true) continue;
    const waits = up.find(({ do: what }) => what !== 'publish');
    const hasConsumer = consumes.length > 0;
    if (hasConsumer || waits !== undefined) {
      throw new Violation('the wire', `an alarm blocks ${hasConsumer ? 'a consumer' : `a ${waits?.do}`}`);
    }
  }
}

export const isToken = (label: string): boolean => label.startsWith('token');

function checkOneHeld({ model }: World): void {
  const queue = model.queues.lock;
  if (queue === undefined) return;
  const held = [...consumers(queue), ...queue.cancelled].flatMap((each) => each.held);
  const tokens = held.filter(({ message }) => isToken(message.label));
  if (tokens.length > 1) throw new Violation('one live token', 'two tokens are held at once');
  if (tokens.length === 1 || held.length === 0) return;
  const behind = ready(queue).filter(({ label }) => isToken(label));
  if (behind.length > 1) return; // an old seed behind a foreign message is found out when it is handed out
}

/** Who replaces a token takes the old one away only when there is a new one. */
function checkKept({ model, checks }: World): void {
  const queue = model.queues.lock;
  if (queue === undefined || checks.grants === 0) return;
  const held = [...consumers(queue), ...queue.cancelled].flatMap((each) => each.held);
  const all = [...ready(queue), ...held.map(({ message }) => message)];
  if (!all.some(({ label }) => isToken(label))) throw new Violation('one live token', 'there is no token');
}

function owner(world: World, channel: number): string {
  for (const client of world.clients) {
    for (const contender of client.contenders) {
      if (isOn(contender, channel)) return `client ${client.id}.${contender.id}`;
    }
  }
  return `channel ${channel}, which nobody uses`;
}

function find(world: World, channel: number): Contender | undefined {
  for (const client of world.clients) {
    for (const contender of client.contenders) {
      if (isOn(contender, channel)) return contender;
    }
  }
  return undefined;
}

/** The broker takes a token back, and the holder cannot know. Where it can be known in time, there is no excuse. */
function excuse(world: World, channel: number, why: Excuse): void {
  const holder = find(world, channel)?.watched;
  if (holder === undefined || (holder.excuse !== undefined && why !== 'forgotten')) return;
  if (why === 'link' && waitsForLeases(world)) return;
  holder.excuse = why;
  if (why === 'deleted') holder.unseatedAt = world.model.now;
}

/** What waits for the end of a lease went with the token, and another one is granted at once. */
function excuseHolders(world: World, token: number): void {
  for (const { contenders } of world.clients) {
    for (const { granted, watched } of contenders) {
      if (granted && watched.token === token) watched.excuse ??= 'destroyed';
    }
  }
}

/** A token that was taken back is not granted before the lease of its holder is over: then there is no excuse. */
export const waitsForLeases = ({ config }: World): boolean =>
  config.version === '4.3' && config.grant === 'verified';

function place(world: World, channel: number): void {
  const client = world.clients.find(({ contenders }) => contenders.some((each) => isOn(each, channel)));
  const watched = find(world, channel)?.watched;
  if (client === undefined || watched === undefined) return;
  world.checks.places += 1;
  const { pausedAt, lines } = client;
  const since = pausedAt ?? lines.locks.upStalledAt ?? lines.locks.downStalledAt;
  // It wrote before its line stalled.
  if (since === undefined || world.config.longestStallMs <= 100) watched.place ??= world.checks.places;
  say(world, () => `${owner(world, channel)} joins the queue, place ${watched.place}`);
}

const isOn = ({ channels }: Contender, channel: number): boolean =>
  channels.some((own) => own.channel === channel);
