import type { Peer, ServerId, ServerKind } from './peer.ts';

const rabbitmq = (release: '3.10' | '4.3'): Peer[] => {
  const suffix = release === '3.10' ? '' : '-4.3';
  const server = `rabbitmq-${release}` as const;
  return [
    {
      id: `batonmq${suffix}`,
      family: 'batonmq',
      server,
      client: 'rabbitmq/batonmq.ts',
      how: 'the packed package at its defaults',
      safe: true,
    },
    {
      id: `batonmq-slots${suffix}`,
      family: 'batonmq',
      server,
      client: 'rabbitmq/batonmq.ts',
      options: { slots: 16 },
      how: 'the same with slots: 16',
      safe: true,
      scenarios: ['cycle', 'fresh'],
    },
    {
      id: `batonmq-local${suffix}`,
      family: 'batonmq',
      server,
      client: 'rabbitmq/batonmq.ts',
      options: { localBatch: 16 },
      how: 'the same with localBatch: 16',
      safe: true,
      scenarios: ['handoff'],
    },
    {
      id: `naive${suffix}`,
      family: 'naive',
      server,
      client: 'rabbitmq/naive.ts',
      how: 'a token and a channel close, none of our rules',
    },
  ];
};

const plain = (
  id: string,
  server: ServerId,
  client: string,
  how: string,
  extra: Partial<Peer> = {},
): Peer => ({ id, family: id, server, client, how, ...extra });

/** A client that polls: at its defaults, and as fast as makes sense. */
const polling = (id: string, server: ServerId, client: string, how: string, tuned: string): Peer[] => [
  plain(id, server, client, how),
  plain(`${id}-tuned`, server, client, tuned, { family: id, options: { tuned: true } }),
];

/** In the order of the tables. */
export const PEERS: readonly Peer[] = [
  ...rabbitmq('3.10'),
  ...rabbitmq('4.3'),
  plain('zookeeper', 'zookeeper', 'zookeeper/lock.ts', 'ephemeral sequential nodes, node-zookeeper-client'),
  plain(
    'etcd-v3lock',
    'etcd',
    'etcd/v3lock.ts',
    'the lock service of etcd over gRPC, a lease for each contender; etcd 3.4 serves who waits in rounds of 100 ms',
  ),
  ...polling('etcd3', 'etcd', 'etcd/etcd3.ts', 'lock() of etcd3, asked every 50 ms', 'the same every 5 ms'),
  plain('nats', 'nats', 'nats/lock.ts', 'create and delete of a key, @nats-io/kv, a watch to wait'),
  plain('postgres', 'postgres', 'postgres/lock.ts', 'pg_advisory_lock, pg, a connection for each wait'),
  plain('mariadb', 'mariadb', 'mariadb/lock.ts', 'GET_LOCK, mysql2, a connection for each wait'),
  ...polling(
    'redlock',
    'redis',
    'redis/redlock.ts',
    'redlock on one ioredis, retries every 200 ms',
    'the same every 5 ms',
  ),
  ...polling(
    'redis-semaphore',
    'redis',
    'redis/redis-semaphore.ts',
    'Mutex of redis-semaphore on ioredis, retries every 10 ms',
    'the same every 2 ms',
  ),
  ...polling(
    'memcached',
    'memcached',
    'memcached/lock.ts',
    'add and delete with memjs, every 50 ms',
    'the same every 5 ms',
  ),
];

const SERVERS: Readonly<Record<ServerId, () => Promise<ServerKind>>> = {
  'rabbitmq-3.10': async () => (await import('./rabbitmq/server.ts')).debian12,
  'rabbitmq-4.3': async () => (await import('./rabbitmq/server.ts')).debianTesting,
  redis: async () => (await import('./redis/server.ts')).redis,
  memcached: async () => (await import('./memcached/server.ts')).memcached,
  zookeeper: async () => (await import('./zookeeper/server.ts')).zookeeper,
  etcd: async () => (await import('./etcd/server.ts')).etcd,
  nats: async () => (await import('./nats/server.ts')).nats,
  postgres: async () => (await import('./postgres/server.ts')).postgres,
  mariadb: async () => (await import('./mariadb/server.ts')).mariadb,
};

/** The module of a server, loaded when it is wanted. */
export const serverKind = (id: ServerId): Promise<ServerKind> => SERVERS[id]();
