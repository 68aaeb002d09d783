import { setTimeout as pause } from 'node:timers/promises';
import { type Fault, type Field, nodeOf, repair, type Target } from '../fault.ts';

const kill = async (field: Field, target: Target) => {
  const { control } = nodeOf(field, target);
  await control.kill();
  return async () => {
    await control.start();
    if (field.site.kind === 'single') await repair(field);
  };
};

const restart = async (field: Field, target: Target) => {
  const node = nodeOf(field, target);
  const down = node.shutdown();
  // Until it is down it hands over what it led; that is part of the fault.
  return async () => {
    await down;
    await node.control.start();
  };
};

/** Not drawn, but put into the plan once: a cluster is not upgraded twice. */
export const CLUSTER_UPGRADE: Fault = {
  name: 'cluster-upgrade',
  reach: 'site',
  site: 'cluster',
  weight: 0,
  lastsMs: [0, 0],
  strike: async ({ site }) => {
    if (site.upgradeTo === undefined) throw new Error('only a cluster is upgraded');
    const upgrading = site.upgradeTo('4.3');
    upgrading.catch(() => {}); // it is the heal that fails
    return () => upgrading;
  },
};

export const NODE_FAULTS: readonly Fault[] = [
  { name: 'node-kill', reach: 'node', weight: 2, lastsMs: [500, 5_000], strike: kill },
  { name: 'node-restart', reach: 'node', weight: 2, lastsMs: [0, 1_000], strike: restart },
  { name: 'leader-kill', reach: 'leader', site: 'cluster', weight: 2, lastsMs: [500, 5_000], strike: kill },
  {
    name: 'leader-restart',
    reach: 'leader',
    site: 'cluster',
    weight: 1,
    lastsMs: [0, 1_000],
    strike: restart,
  },
  {
    /** SIGSTOP: its sockets stay open, and it wakes up not knowing that time has passed. */
    name: 'node-pause',
    reach: 'node',
    weight: 2,
    lastsMs: [500, 8_000],
    strike: async (field, target) => {
      const pid = await nodeOf(field, target).pid();
      if (pid === undefined) throw new Error('the node is not running');
      process.kill(pid, 'SIGSTOP');
      return async () => process.kill(pid, 'SIGCONT');
    },
  },
  {
    name: 'memory-alarm',
    reach: 'site',
    weight: 2,
    lastsMs: [1_000, 6_000],
    strike: async (field, target) => {
      const { control } = nodeOf(field, target);
      await control.raiseMemoryAlarm();
      return () => control.clearMemoryAlarm();
    },
  },
  {
    name: 'channels-close',
    reach: 'node',
    weight: 2,
    lastsMs: [0, 0],
    strike: async (field, target) => {
      await nodeOf(field, target).control.eval(
        '[catch rabbit_networking:close_connection(Pid, "nemesis") || Pid <- rabbit_networking:local_connections()]',
      );
      return undefined;
    },
  },
  {
    /** The whole cluster, one node after the other, each up again before the next goes down. */
    name: 'rolling-restart',
    reach: 'site',
    site: 'cluster',
    weight: 0.5,
    lastsMs: [0, 0],
    strike: async ({ site }, { node: first }) => {
      const order = site.nodes.map((_, index) => (first + index) % site.nodes.length);
      const rolling = (async () => {
        for (const index of order) {
          const node = site.nodes[index];
          if (node === undefined) continue;
          await node.shutdown();
          await node.control.start();
          await site.whole();
        }
      })();
      rolling.catch(() => {}); // it is the heal that fails
      await pause(0);
      return () => rolling;
    },
  },
];
