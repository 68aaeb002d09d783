import { NEW_BOOK } from '../checks/wire.ts';
import type { Watched } from './state.ts';

/** Of a contender of which nothing has been seen yet. */
export const newWatched = (): Watched => ({
  sentAt: undefined,
  provenAt: undefined,
  handOut: 0,
  grantedHandOut: 0,
  replacingSince: undefined,
  handedToken: false,
  deliveryTag: 0,
  keptSince: 0,
  keptTag: 0,
  read: 0,
  rival: undefined,
  token: 0,
  staleTag: undefined,
  surfaced: false,
  book: NEW_BOOK,
  floor: 0n,
  fence: undefined,
  excuse: undefined,
  unseatedAt: undefined,
  forgotten: false,
  foreignMessages: 0,
  place: undefined,
  overlapMs: 0,
  hearingMs: 0,
});
