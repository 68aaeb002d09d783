import type { Fault } from '../fault.ts';

export const WORKER_FAULTS: readonly Fault[] = [
  {
    name: 'worker-kill',
    reach: 'worker',
    weight: 5,
    lastsMs: [0, 0],
    strike: async ({ fleet }, { slot }) => {
      // The signal is sent by the call itself; the end of the process is not waited for.
      void fleet.kill(slot);
      return undefined;
    },
  },
  {
    name: 'worker-freeze',
    reach: 'worker',
    weight: 5,
    lastsMs: [300, 7_000],
    strike: async ({ fleet }, { slot, lastsMs }) => {
      const continued = fleet.freeze(slot, lastsMs);
      return () => continued;
    },
  },
];
