import { setTimeout as pause } from 'node:timers/promises';
import { load } from '../load.ts';
import type { Open } from '../peer.ts';

/** What is used of @nats-io. */
interface Bucket {
  create(key: string, value: string): Promise<number>;
  update(key: string, value: string, revision: number): Promise<number>;
  delete(key: string, options: { previousSeq: number }): Promise<void>;
  watch(options: { key: string; ignoreDeletes: boolean }): Promise<Watch>;
}
interface Watch extends AsyncIterable<{ readonly operation: 'PUT' | 'DEL' | 'PURGE' }> {
  stop(): void;
}
interface Connection {
  close(): Promise<void>;
}
type Transport = { connect(options: { servers: readonly string[] }): Promise<Connection> };
type Kv = {
  Kvm: new (
    connection: Connection,
  ) => {
    create(name: string, options: { ttl: number; replicas: number }): Promise<Bucket>;
  };
};

export const BUCKET = 'locks';
/** Of the bucket, so that a dead holder's key goes. A holder renews it. */
const TTL_MS = 10_000;
const RENEW_MS = 3_000;
/** An expired key is told to nobody, so who waits asks again now and then. */
const ASK_AGAIN_MS = 1_000;

/** Anybody who can create the key has the lock. One watch for each name and process wakes all who wait there. */
export const open: Open = async (urls) => {
  const [{ connect }, { Kvm }] = await Promise.all([
    load<Transport>('@nats-io/transport-node'),
    load<Kv>('@nats-io/kv'),
  ]);
  const connection = await connect({ servers: urls });
  const bucket = await new Kvm(connection).create(BUCKET, { ttl: TTL_MS, replicas: urls.length });
  const names = new Map<string, Name>();

  return {
    acquire: async (name, { signal }) => {
      const watched = names.get(name) ?? new Name(bucket, name);
      names.set(name, watched);
      for (;;) {
        const seen = watched.deletions;
        try {
          return hold(bucket, name, await bucket.create(name, 'held'));
        } catch (error) {
          if (!isTaken(error)) throw error;
        }
        await watched.deletionAfter(seen, signal);
      }
    },
    close: async () => {
      for (const name of names.values()) name.stop();
      await connection.close();
    },
  };
};

function hold(bucket: Bucket, name: string, first: number) {
  let revision = Promise.resolve(first);
  const renewal = setInterval(() => {
    revision = revision.then((last) => bucket.update(name, 'held', last));
    revision.catch(() => clearInterval(renewal));
  }, RENEW_MS);
  return {
    release: async () => {
      clearInterval(renewal);
      await bucket.delete(name, { previousSeq: await revision });
    },
  };
}

/** JetStream's code for a sequence that is not the expected one; the client says so in words as well. */
const isTaken = (error: unknown): boolean =>
  (error as { code?: number }).code === 10_071 || String(error).includes('wrong last sequence');

class Name {
  deletions = 0;
  readonly #waiting = new Set<() => void>();
  #watch: Watch | undefined;
  #stopped = false;

  constructor(bucket: Bucket, key: string) {
    void this.#follow(bucket, key).catch(() => {});
  }

  /** Resolves at once if there has been one since `seen` was read. */
  async deletionAfter(seen: number, signal: AbortSignal): Promise<void> {
    if (this.deletions !== seen) return;
    const over = new AbortController();
    let wake = () => {};
    const deleted = new Promise<void>((resolve) => {
      wake = resolve;
      this.#waiting.add(resolve);
    });
    try {
      const asked = pause(ASK_AGAIN_MS, undefined, { signal: AbortSignal.any([signal, over.signal]) });
      await Promise.race([deleted, asked]);
    } finally {
      this.#waiting.delete(wake);
      over.abort();
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#watch?.stop();
  }

  async #follow(bucket: Bucket, key: string): Promise<void> {
    this.#watch = await bucket.watch({ key, ignoreDeletes: false });
    if (this.#stopped) this.#watch.stop();
    for await (const { operation } of this.#watch) {
      if (operation === 'PUT') continue;
      this.deletions += 1;
      for (const wake of this.#waiting) wake();
      this.#waiting.clear();
    }
  }
}
