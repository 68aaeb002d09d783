import type { Network } from '../../site/types.ts';
import { type Fault, type Field, nodeOf } from '../fault.ts';

function networkOf({ site }: Field): Network {
  if (site.network === undefined) throw new Error('a single node has no network to cut');
  return site.network;
}

export const NETWORK_FAULTS: readonly Fault[] = [
  {
    name: 'node-cut',
    reach: 'node',
    site: 'cluster',
    weight: 1,
    // Peers give each other up after 10 to 15 s, and from 4.3 on a consumer 12 s later.
    lastsMs: [16_000, 30_000],
    strike: async (field, { node }) => {
      await networkOf(field).cut(node);
      return () => networkOf(field).heal();
    },
  },
  {
    name: 'node-isolate',
    reach: 'node',
    site: 'cluster',
    weight: 1,
    lastsMs: [3_000, 20_000],
    strike: async (field, { node }) => {
      await networkOf(field).isolate(node);
      return () => networkOf(field).heal();
    },
  },
  {
    name: 'node-flap',
    reach: 'node',
    site: 'cluster',
    weight: 4,
    lastsMs: [0, 0],
    strike: async (field, { node }) => {
      const struck = nodeOf(field, { node });
      const others = field.site.nodes.filter((other) => other !== struck).map(({ name }) => `'${name}'`);
      // From its own side it drops all its links at once.
      await struck.control.eval(`[erlang:disconnect_node(Peer) || Peer <- [${others.join(', ')}]]`);
      return undefined;
    },
  },
];
