import type { ContenderState } from '../../../src/protocol/contender/types.ts';
import type { StatefulEffect, StatefulEvent } from '../../../src/protocol/register/step.ts';
import type { Contender, WireBook } from '../client/state.ts';
import type { World } from '../world.ts';
import { Violation } from './state.ts';

/** How long a queue that shows no token is given to show one before it may be started over. */
const GRACE_MS = 2_000;
/** How many foreign messages are looked into before a queue is purged with something ready in it. */
const STRAYS_AT_MOST = 20;

export const NEW_BOOK: WireBook = {
  goneAt: Number.NEGATIVE_INFINITY,
  knows: false,
  emptyAt: Number.POSITIVE_INFINITY,
  purged: false,
};

/** What the contender learns from an event that made a difference to it. */
export function noted(
  { model }: World,
  book: WireBook,
  event: StatefulEvent,
  before: ContenderState,
): WireBook {
  const { now } = model;
  switch (event.type) {
    case 'purged':
      return { ...book, purged: true };
    case 'cancelled':
      return { ...book, goneAt: now, knows: true };
    case 'consuming':
      return { ...book, emptyAt: Number.POSITIVE_INFINITY, purged: false };
    case 'looked':
      if (before.at === 'opening') {
        return { ...book, knows: true, goneAt: event.depth === 'absent' ? now : book.goneAt };
      }
      if (event.depth === 'absent' || event.depth.ready > 0) return book;
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
  if (state.at !== 'waiting' || state.stray !== undefined) {
    throw new Violation('the wire', `a request on the channel of a contender that is ${state.at}`);
  }
}

/** Whoever knows that the queue is gone does not make it again before the holder can have been told; on 3.x nobody makes it unseen. */
export function checkDeclare({ config, model }: World, { watched }: Contender): void {
  const { goneAt, knows } = watched.book;
  const pauseMs = config.version === '3.10' ? 100 : 50;
  const since = model.now - goneAt;
  if (since < pauseMs) {
    throw new Violation(
      'the wire',
      `a queue is made again ${since} ms after its end was known, not ${pauseMs}`,
    );
  }
  if (config.version === '3.10' && !knows)
    throw new Violation('the wire', 'a name is declared without a look');
  watched.book = { ...watched.book, knows: false };
}

/**
 * For want of a token a queue is purged only after two looks that showed nothing, a grace apart, or by whoever was handed
 * one foreign message after the other, and so is the active consumer of a queue without a live token.
 */
export function checkPurge({ model }: World, { watched }: Contender): void {
  if (watched.handedToken || watched.strays > STRAYS_AT_MOST) return;
  const waited = model.now - watched.book.emptyAt;
  if (waited >= GRACE_MS) return;
  throw new Violation('the wire', `a queue is purged ${waited} ms after it was first seen empty`);
}

/** A token is acked by whoever puts another one in its place, and never with something behind it that would be ahead of that. */
export function checkAck({ watched }: Contender, deliveryTag: number): void {
  if (!watched.handedToken || deliveryTag !== watched.deliveryTag || watched.book.purged) return;
  throw new Violation('the wire', 'a token is acked without a purge');
}

/**
 * A seed that nobody has had, and that is too old to be granted, has come back once when its channel is closed, and looks
 * live to everybody. A coordinator that closes, and a purge that fails, leave it so.
 */
export function checkGivenUp({ config }: World, { watched }: Contender): void {
  if (watched.staleTag === undefined || !config.keepsNoStaleSeeds) return;
  throw new Violation('the wire', 'a seed that is too old to be granted is given back');
}

/** Whatever happens to a lost lease, its release included, touches nothing at the broker. */
export function checkAbsorbs(
  before: ContenderState,
  event: StatefulEvent,
  effects: readonly StatefulEffect[],
): void {
  if (before.at !== 'lost' || effects.length === 0) return;
  throw new Violation('a lost lease frees nobody', `${event.type} after the loss does ${effects[0]?.do}`);
}
