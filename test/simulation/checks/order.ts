import type { Client, Contender } from '../client/state.ts';
import type { World } from '../world.ts';
import { Violation } from './state.ts';

/** Nobody who came later, by the order of arrival at the broker, is granted before one who still waits. */
export function checkPlace(world: World, granted: Contender): void {
  const { place } = granted.watched;
  if (place === undefined) return;
  for (const client of world.clients) {
    for (const other of client.contenders) {
      const theirs = other.watched.place;
      if (theirs === undefined || theirs >= place || other.state.at !== 'waiting' || other.refused) continue;
      throw new Violation(
        'first in, first out',
        `place ${place} is granted while client ${client.id}.${other.id} waits at place ${theirs}`,
      );
    }
  }
}

/** Their lines are not healthy: they may come back in another order. */
export function forgetPlaces(world: World, ...clients: readonly Client[]): void {
  for (const { contenders } of clients.length === 0 ? world.clients : clients) {
    for (const { watched } of contenders) watched.place = undefined;
  }
}

export function forgetPlacesOn(world: World, connection: number): void {
  for (const { contenders } of world.clients) {
    for (const { channels, watched } of contenders) {
      const isOnIt = (id: number | undefined) =>
        world.model.channels.get(id ?? -1)?.connection === connection;
      if (channels.some(({ channel }) => isOnIt(channel))) watched.place = undefined;
    }
  }
}
