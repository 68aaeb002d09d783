/** What a peer is to the bench: a server that can be started here, and a client that takes and gives back locks. */

/** The lock of a client. All of it runs in a worker process. */
export interface Client {
  /** Waits for the lock. Rejects when `signal` aborts. */
  acquire(name: string, wait: Wait): Promise<Hold>;
  /** Ends the connections, and whatever still waits. */
  close(): Promise<void>;
}

export interface Wait {
  readonly signal: AbortSignal;
  /** To be called once the server is known to have put this wait into its queue, where there is one. */
  readonly placed: () => void;
}

export interface Hold {
  /** Where the peer has fencing tokens. */
  readonly fence?: bigint;
  release(): Promise<void>;
}

/** Of a client's module: `export const open: Open`. */
export type Open = (urls: readonly string[], options: ClientOptions) => Promise<Client>;

export interface ClientOptions {
  /** How many waits at once it must be ready for: the size of a pool, where every wait takes a connection. */
  readonly waits: number;
  readonly tuned?: boolean;
  readonly slots?: number;
  readonly localBatch?: number;
}

/** A running server, or a cluster of three. */
export interface Server {
  /** One for each node. */
  readonly urls: readonly string[];
  readonly version: string;
  /** The processes of all nodes. */
  pids(): Promise<readonly number[]>;
  /** Urls of a place whose names are thrown away with it, where names that were used once would else stay and cost. */
  scratch?(): Promise<Scratch>;
  /** To be called before each case, where the clients of the one before may have left the server in a bad way. */
  renew?(): Promise<void>;
  /** SIGKILL of one node. Only of clusters. */
  kill?(node: number): Promise<void>;
  /** Which node leads: the whole cluster, or that which keeps this lock. Only of clusters. */
  leader?(lock: string): Promise<number>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

export interface Scratch {
  readonly urls: readonly string[];
  remove(): Promise<void>;
}

/** Of a server's module: `export const server: ServerKind`. */
export interface ServerKind {
  /** The Debian packages that it takes. */
  readonly packages: readonly string[];
  /** A file that is there when they are installed. */
  readonly installed: string;
  /** `nodes` is 1 or 3. */
  start(options: StartOptions): Promise<Server>;
}

export interface StartOptions {
  readonly nodes: 1 | 3;
  readonly log: (line: string) => void;
}

/** A row of the tables. */
export interface Peer {
  readonly id: string;
  /** What `--only` names. */
  readonly family: string;
  /** The server it runs on; peers with the same one share it. */
  readonly server: ServerId;
  /** Its client's module, relative to this folder. */
  readonly client: string;
  readonly options?: Omit<ClientOptions, 'waits'>;
  /** What the client does to get the lock, in a few words. */
  readonly how: string;
  /** Every rule of ours must be seen in its frames. */
  readonly safe?: true;
  /** Only these scenarios; all by default. */
  readonly scenarios?: readonly string[];
}

export type ServerId =
  | 'rabbitmq-3.10'
  | 'rabbitmq-4.3'
  | 'redis'
  | 'memcached'
  | 'zookeeper'
  | 'etcd'
  | 'nats'
  | 'postgres'
  | 'mariadb';
