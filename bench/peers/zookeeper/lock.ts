import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Open } from '../peer.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { ZooKeeper } from './client.ts';

/** After that the session has ended, and its nodes with it. */
const SESSION_MS = 30_000;
const AGAIN_MS = 50;

/**
 * The recipe of ZooKeeper's own documentation: ephemeral sequential nodes, each watches the one before it. Their names
 * begin with an id, by which a node is found again when the answer to its creation was lost with a connection: else it
 * would stand in line for as long as the session lives.
 */
export const open: Open = async (urls) => {
  const zookeeper = await ZooKeeper.connect(urls);
  const known = new Set<string>();
  const leave = async (folder: string, id: string): Promise<void> => {
    const deadline = performance.now() + SESSION_MS;
    while (performance.now() < deadline) {
      try {
        const own = (await zookeeper.children(folder)).find((node) => node.startsWith(id));
        if (own !== undefined) await zookeeper.remove(`${folder}/${own}`);
        return;
      } catch {
        await pause(AGAIN_MS);
      }
    }
  };
  return {
    acquire: async (name, { signal, placed }) => {
      const folder = `/locks/${name}`;
      if (!known.has(folder)) await zookeeper.makeFolder(folder);
      known.add(folder);
      const id = randomUUID();
      const path = await zookeeper.makeNode(`${folder}/${id}-`).catch((error: unknown) => {
        void leave(folder, id);
        throw error;
      });
      const release = () => zookeeper.remove(path).catch(() => leave(folder, id));
      placed();
      const own = path.slice(folder.length + 1);
      try {
        for (;;) {
          const inLine = (await zookeeper.children(folder)).sort(byNumber);
          const before = inLine[inLine.indexOf(own) - 1];
          if (before === undefined) return { release };
          const gone = new Promise<void>((resolve, reject) => {
            zookeeper.watch(`${folder}/${before}`, resolve).then((there) => there || resolve(), reject);
          });
          await unlessAborted(gone, signal, () => {});
        }
      } catch (error) {
        await release();
        throw error;
      }
    },
    close: async () => zookeeper.close(),
  };
};

/** The ten digits that ZooKeeper puts behind each name. */
const byNumber = (one: string, other: string): number => Number(one.slice(-10)) - Number(other.slice(-10));
