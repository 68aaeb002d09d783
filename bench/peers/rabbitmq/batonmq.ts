import { subscribe } from 'node:diagnostics_channel';
import type * as batonmq from '../../../src/index.ts';
import { load } from '../load.ts';
import type { Open } from '../peer.ts';

/** The packed package, at its defaults but for these options. */
export const open: Open = async (urls, { slots, localBatch }) => {
  const { connect } = await load<typeof batonmq>('batonmq');
  const baton = await connect(urls, { slots, localBatch });
  return {
    acquire: async (name, { signal, placed }) => {
      ask(name, placed);
      try {
        const lease = await baton.lock(name).acquire({ signal });
        return { fence: lease.fence, release: () => lease.release() };
      } finally {
        leave(name, placed);
      }
    },
    close: () => baton.close({ drainMs: 0 }),
  };
};

/** Who waits for a lock and is not known to be in its queue. */
interface Line {
  readonly asked: Set<() => void>;
  /** Calls less messages. */
  unheard: number;
}

const lines = new Map<string, Line>();

// The message says that somebody has got a place in the queue, and not who. So all who have asked are known to be in
// line as soon as there have been as many messages as calls.
subscribe('batonmq:waiting', (message) => {
  const line = lines.get((message as batonmq.LockTrace).lock);
  if (line === undefined) return;
  line.unheard -= 1;
  if (line.unheard > 0) return;
  for (const placed of line.asked) placed();
  line.asked.clear();
});

function ask(name: string, placed: () => void): void {
  const line = lines.get(name) ?? { asked: new Set(), unheard: 0 };
  lines.set(name, line);
  line.asked.add(placed);
  line.unheard += 1;
}

function leave(name: string, placed: () => void): void {
  const line = lines.get(name);
  line?.asked.delete(placed);
  if (line?.asked.size === 0 && line.unheard <= 0) lines.delete(name);
}
