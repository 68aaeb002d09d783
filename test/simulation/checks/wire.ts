import type { ClientEvent } from '../../../src/protocol/client-step.ts';
import type { ContenderState } from '../../../src/protocol/contender/types.ts';
import type { StatefulEffect } from '../../../src/protocol/register/step.ts';
import type { Contender, WireBook } from '../client/state.ts';
import type { World } from '../world.ts';
import { Violation } from './state.ts';

/** How long a queue that shows no token is given to show one before it may be started over. */
const GRACE_MS = 2_000;
/** How many foreign messages are looked into before a queue is purged with something ready in it. */
const FOREIGN_AT_MOST = 20;

/** For how long a token may be replaced: a purge, a seed and a look, and this again a few times. */
const RELEASED_MS = 19_000;
const REPLACED_MS = 91_000;

export const NEW_BOOK: WireBook = {
  goneAt: Number.NEGATIVE_INFINITY,
  knows: false,
  emptyAt: Number.POSITIVE_INFINITY,
  tried: false,
  purged: false,
  seeded: false,
  alone: false,
};

/** What the contender learns from an event that made a difference to it. */
export function noted(
  { model }: World,
  book: WireBook,
  event: ClientEvent,
  before: ContenderState,
): WireBook {
  const { now } = model;
  switch (event.type) {
    case 'purged':
      return { ...book, purged: true, seeded: false, alone: false };
    case 'probed':
      return { ...book, tried: true };
    case 'seeded':
      return { ...book, seeded: true };
    case 'cancelled':
      return { ...book, goneAt: now, knows: true };
    case 'consuming':
      return { ...NEW_BOOK, goneAt: book.goneAt, knows: book.knows };
    case 'looked':
      if (before.at === 'opening') {
        return { ...book, knows: true, goneAt: event.depth === 'absent' ? now : book.goneAt };
      }
      if (event.depth === 'absent') return book;
      if (event.depth.ready > 0) return { ...book, alone: book.seeded && event.depth.ready === 1 };
      return { ...book, emptyAt: Math.min(book.emptyAt, now) };
    case 'closed':
      return event.absent ? { ...book, goneAt: now, knows: true } : { ...book, knows: false };
    case 'call-failed':
      return { ...book, knows: false };
    default:
      return book;
  }
}

/** On a channel that may hold a token there is no second request: client libraries queue requests, and acks overtake them. */
export function checkBarrier({ state }: Contender): void {
  if (state.at !== 'waiting' || state.foreign !== undefined) {
    throw new Violation('the wire', `a request on the channel of a contender that is ${state.at}`);
  }
}

/** Anybody who knows that the queue is gone does not make it again before the holder can have been told; on 3.x nobody makes it unseen. */
export function checkDeclare({ config, model }: World, { watched }: Contender): void {
  const { goneAt, knows } = watched.book;
  const pauseMs = config.version === '3.10' ? 100 : 50;
  const since = model.now - goneAt;
  if (since < pauseMs) {
    throw new Violation(
      'the wire',
      `a queue is recreated ${since} ms after its end was known, not ${pauseMs}`,
    );
  }
  if (config.version === '3.10' && !knows)
    throw new Violation('the wire', 'a name is declared without a look');
  watched.book = { ...watched.book, knows: false };
}

/**
 * For want of a token a queue is purged only after two looks that showed nothing, a grace apart, or by anybody who was handed
 * one foreign message after the other, and so is the active consumer of a queue without a live token.
 */
export function checkPurge({ model }: World, { watched }: Contender): void {
  if (watched.handedToken || watched.foreignMessages > FOREIGN_AT_MOST) return;
  const waited = model.now - watched.book.emptyAt;
  if (waited >= GRACE_MS) return;
  throw new Violation('the wire', `a queue is purged ${waited} ms after it was first seen empty`);
}

/**
 * A token is acked by who puts another one in its place: there is one, and nothing that could be ahead of it. A release
 * on 3.x acks when the queue is empty, and has shown before that it may publish. In a flood of foreign messages some may be ahead of it.
 */
export function checkAck(
  { config }: World,
  { watched, granted, state }: Contender,
  deliveryTag: number,
): void {
  if (!watched.handedToken || deliveryTag !== watched.deliveryTag) return;
  if (state.at !== 'replacing' && deliveryTag === watched.staleTag) return; // rather than give it back
  const { tried, purged, seeded, alone } = watched.book;
  if (!purged) throw new Violation('the wire', 'a token is acked without a purge');
  if (alone || (seeded && watched.foreignMessages > FOREIGN_AT_MOST)) return;
  if (config.version !== '3.10' || !granted)
    throw new Violation('the wire', 'a token is acked before another one is known to be alone behind it');
  if (!tried)
    throw new Violation('the wire', 'a token is acked before it is known that one can be published');
}

/** Nobody is kept waiting by an answer that does not come: what is in hand is given back, and a token that is owed is not owed without end. */
export function checkReplacing(world: World): void {
  for (const client of world.clients) {
    if (client.pausedAt !== undefined) continue;
    for (const { id, state, watched } of client.contenders) {
      if (state.at !== 'replacing' || watched.replacingSince === undefined) continue;
      const forMs = world.model.now + client.monoShift - watched.replacingSince;
      const isRelease = state.releases && state.owedUntil === undefined;
      if (forMs <= (isRelease ? RELEASED_MS : REPLACED_MS)) continue;
      throw new Violation('it heals', `client ${client.id}.${id} has replaced its token for ${forMs} ms`);
    }
  }
}

/**
 * A seed that nobody has had, and that is too old to be granted, has come back once when its channel is closed, and looks
 * live to everybody.
 */
export function checkGivenUp({ watched }: Contender): void {
  if (watched.staleTag === undefined) return;
  throw new Violation('the wire', 'a seed that is too old to be granted is given back');
}

/** Whatever happens to a lost lease, its release included, touches nothing at the broker. */
export function checkAbsorbs(
  before: ContenderState,
  event: ClientEvent,
  effects: readonly StatefulEffect[],
): void {
  if (before.at !== 'lost' || effects.length === 0) return;
  throw new Violation('a lost lease frees nobody', `${event.type} after the loss does ${effects[0]?.do}`);
}
