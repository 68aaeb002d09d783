import { setTimeout as pause } from 'node:timers/promises';
import { type Coordinator, connect, type Lease } from '../../../src/index.ts';
import type { Hold, LockClient } from './client.ts';
import { NAMESPACE } from './queues.ts';
import type { WorkerSettings } from './settings.ts';

const RETRY_MS = 200;

/** The product, through its public API alone. Resolves once the first connection is made, however long that takes. */
export async function openBaton(settings: WorkerSettings): Promise<LockClient> {
  const { urls, grant, times, who } = settings;
  const options = { service: who, namespace: NAMESPACE, grant, ...times };
  let baton: Coordinator | undefined;
  while (baton === undefined) {
    baton = await connect(urls, options).catch(() => undefined);
    if (baton === undefined) await pause(RETRY_MS);
  }
  const coordinator = baton;
  return {
    acquire: async (name, { timeoutMs, signal }) => {
      const lock = coordinator.lock(name);
      const lease = await (timeoutMs === 0
        ? lock.tryAcquire({ signal })
        : lock.acquire({ timeoutMs, signal }));
      return lease && holdOf(lease);
    },
    close: () => coordinator.close({ drainMs: 0 }),
  };
}

function holdOf(lease: Lease): Hold {
  return {
    fence: String(lease.fence),
    throwIfLost: () => lease.throwIfLost(),
    onLost: (callback) => {
      const tell = () => callback(lease.signal.reason.reason);
      // The loss can come in the same chunk as the grant, before anybody has seen the lease.
      if (lease.signal.aborted) tell();
      else lease.signal.addEventListener('abort', tell, { once: true });
    },
    release: () => lease.release(),
  };
}
