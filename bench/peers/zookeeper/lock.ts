import type { Open } from '../peer.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { ZooKeeper } from './client.ts';

/** The recipe of ZooKeeper's own documentation: ephemeral sequential nodes, each watches the one before it. */
export const open: Open = async (urls) => {
  const zookeeper = await ZooKeeper.connect(urls);
  const known = new Set<string>();
  return {
    acquire: async (name, { signal, placed }) => {
      const folder = `/locks/${name}`;
      if (!known.has(folder)) await zookeeper.makeFolder(folder);
      known.add(folder);
      const path = await zookeeper.makeNode(`${folder}/lock-`);
      placed();
      const own = path.slice(folder.length + 1);
      try {
        for (;;) {
          const inLine = (await zookeeper.children(folder)).sort();
          const before = inLine[inLine.indexOf(own) - 1];
          if (before === undefined) return { release: () => zookeeper.remove(path) };
          const gone = new Promise<void>((resolve, reject) => {
            zookeeper.watch(`${folder}/${before}`, resolve).then((there) => there || resolve(), reject);
          });
          await unlessAborted(gone, signal, () => {});
        }
      } catch (error) {
        await zookeeper.remove(path).catch(() => {});
        throw error;
      }
    },
    close: async () => zookeeper.close(),
  };
};
