import type { Direction } from '../../../support/proxy-link.ts';
import type { Fault, Field, Target } from '../fault.ts';

const TO_BOTH: readonly Direction[] = ['to-server', 'to-client'];

/** The worker's connections: that one, or all of them and those that it makes meanwhile. */
function linesOf({ wire }: Field, { slot, oneLink }: Target) {
  return oneLink === undefined ? wire.proxiesOf(slot) : [oneLink];
}

/** Both ends find out by their heartbeats, or never, and what was held arrives late. */
function frozen(name: string, weight: number, keeps: readonly Direction[]): Fault {
  return {
    name,
    reach: 'worker',
    weight,
    lastsMs: [200, 9_000],
    keeps,
    strike: async (field, target) => {
      for (const line of linesOf(field, target)) line.freeze(keeps);
      return async () => {
        for (const line of linesOf(field, target)) line.thaw();
      };
    },
  };
}

export const LINE_FAULTS: readonly Fault[] = [
  {
    name: 'line-reset',
    reach: 'worker',
    weight: 5,
    lastsMs: [0, 0],
    strike: async (field, target) => {
      for (const line of linesOf(field, target)) line.reset();
      return undefined;
    },
  },
  frozen('line-silent', 4, TO_BOTH),
  frozen('line-deaf', 3, ['to-client']),
  frozen('line-mute', 3, ['to-server']),
  {
    /** The broker sees the connection die and hands over at once; the client hears nothing of it. */
    name: 'line-half-dead',
    reach: 'worker',
    weight: 5,
    lastsMs: [1_000, 6_000],
    keeps: TO_BOTH,
    strike: async ({ wire }, { slot, oneLink }) => {
      const links = oneLink === undefined ? wire.linksOf(slot) : [oneLink];
      for (const link of links) {
        link.freeze();
        link.resetServer();
      }
      return async () => {
        for (const link of links) link.thaw();
      };
    },
  },
];
