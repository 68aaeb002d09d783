import { fileURLToPath } from 'node:url';
import { load } from '../load.ts';
import type { Open } from '../peer.ts';
import { unlessAborted } from '../unless-aborted.ts';
import type { Etcd3Module, Lease } from './etcd3.ts';

type Reply<T> = (error: Error | null, value: T) => void;

interface LockService {
  Lock(request: { name: Buffer; lease: string }, reply: Reply<{ key: Buffer }>): { cancel(): void };
  Unlock(request: { key: Buffer }, reply: Reply<object>): void;
  close(): void;
}
interface Grpc {
  readonly credentials: { createInsecure(): object };
  loadPackageDefinition(definition: object): {
    v3lockpb: { Lock: new (target: string, credentials: object) => LockService };
  };
}
interface ProtoLoader {
  loadSync(file: string, options: object): object;
}

const PROTO = fileURLToPath(new URL('./v3lock.proto', import.meta.url));
const TTL_S = 10;

/** etcd's own lock service: the server queues anybody who waits. The key is named by the lease, so each contender has one. */
export const open: Open = async (urls) => {
  const [grpc, loader, { Etcd3 }] = await Promise.all([
    load<Grpc>('@grpc/grpc-js'),
    load<ProtoLoader>('@grpc/proto-loader'),
    load<Etcd3Module>('etcd3'),
  ]);
  const client = new Etcd3({ hosts: urls });
  const { Lock } = grpc.loadPackageDefinition(loader.loadSync(PROTO, { longs: String })).v3lockpb;
  const addresses = urls.map((url) => new URL(url).host).join(',');
  const service = new Lock(`ipv4:${addresses}`, grpc.credentials.createInsecure());
  const spare: Lease[] = [];
  return {
    acquire: async (name, { signal }) => {
      const lease = spare.pop() ?? client.lease(TTL_S);
      const id = await lease.grant();
      let call: { cancel(): void } | undefined;
      const locked = new Promise<Buffer>((resolve, reject) => {
        call = service.Lock({ name: Buffer.from(name), lease: id }, (error, response) =>
          error === null ? resolve(response.key) : reject(error),
        );
      });
      // A call that failed may have left its key in the queue.
      locked.catch(() => lease.revoke().catch(() => {}));
      const key = await unlessAborted(locked, signal, () => call?.cancel());
      return {
        release: async () => {
          const unlocked = new Promise<void>((resolve, reject) => {
            service.Unlock({ key }, (error) => (error === null ? resolve() : reject(error)));
          });
          // Else its key would be kept alive without end.
          unlocked.catch(() => lease.revoke().catch(() => {}));
          await unlocked;
          spare.push(lease);
        },
      };
    },
    close: async () => {
      service.close();
      client.close();
    },
  };
};
