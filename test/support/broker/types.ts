/** `machine`: whatever rabbitmq-server this machine has; the numbers: that version, from Debian's own archive. */
export type BrokerVersion = 'machine' | '4.0' | '4.3';

export interface ProvideOptions {
  /** Default: `BATON_BROKER_VERSION`, else whatever is at hand. */
  readonly version?: BrokerVersion;
  /** One line per step that takes long or changes the machine. Silent by default. */
  readonly log?: (line: string) => void;
  /** With the management plugin, on a port of its own. Off by default. */
  readonly management?: boolean;
  /** Of private nodes: how many schedulers and I/O threads they have. `light` by default. */
  readonly schedulers?: Schedulers;
  /** Of private nodes: further plugins. */
  readonly plugins?: readonly string[];
  /** Of private nodes: further lines of rabbitmq.conf, given the node's folder as the node sees it. */
  readonly config?: (home: string) => readonly string[];
  /** Of private nodes: files in the node's folder, by name. */
  readonly files?: Readonly<Record<string, string>>;
}

/** `light`: one each, so that several nodes share few cores; `default`: RabbitMQ's own, which are for all cores. */
export type Schedulers = 'light' | 'default';

export interface ProvidedBroker extends AsyncDisposable {
  readonly url: string;
  /** As the broker says in connection.start. */
  readonly version: string;
  readonly how: 'url' | 'docker' | 'machine' | 'debian-root';
  /** Of the HTTP API, without login; undefined without the management plugin. */
  readonly managementUrl?: string;
  /** Undefined when the broker is somebody else's (`BATON_URL`): such a one is never touched. */
  readonly control?: BrokerControl;
  /** What another process needs for {@link connectControl}: plain JSON. */
  readonly handle: BrokerHandle;
  /** Ends the broker and removes its data. Idempotent. */
  stop(): Promise<void>;
}

export interface Permissions {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

export interface BrokerControl {
  /** rabbitmqctl with these arguments: half a second or more. Resolves with its stdout. */
  ctl(...args: string[]): Promise<string>;
  /** Evaluates Erlang in the node, and resolves with the value as Erlang prints it. */
  eval(erlang: string): Promise<string>;
  /** Publishers are blocked once this has resolved. */
  raiseMemoryAlarm(): Promise<void>;
  clearMemoryAlarm(): Promise<void>;
  /** Orderly stop and start of RabbitMQ inside its node, with data and port kept. Resolves when it is open again. */
  restart(): Promise<void>;
  /**
   * SIGKILL. Resolves when the process is gone.
   * A quorum queue declared in the last second before it comes back empty, confirmed messages included:
   * {@link flush} first where that is not what is tested.
   */
  kill(): Promise<void>;
  /** Has the node write what it otherwise writes within a second or so: in which folder a quorum queue has its log. */
  flush(): Promise<void>;
  /** After {@link kill}. Resolves when it is open again. */
  start(): Promise<void>;
  /** Makes the user or changes it. `vhost` is `/` by default, here and below. */
  addUser(name: string, password: string, permissions: Permissions, vhost?: string): Promise<void>;
  /** Guest gets all rights in it. */
  addVhost(name: string): Promise<void>;
  deleteVhost(name: string): Promise<void>;
  /** A policy on queues. */
  setPolicy(
    name: string,
    pattern: string,
    definition: Record<string, unknown>,
    vhost?: string,
  ): Promise<void>;
  clearPolicy(name: string, vhost?: string): Promise<void>;
  purge(queue: string, vhost?: string): Promise<void>;
  /** The broker closes every client connection with connection.close, 320, and this reason. */
  closeAllConnections(reason: string): Promise<void>;
}

/** A node that we started as a process of this machine. */
export interface NodeHandle {
  readonly how: 'machine' | 'debian-root';
  readonly url: string;
  readonly managementUrl?: string;
  readonly version: string;
  readonly nodeName: string;
  readonly port: number;
  readonly distributionPort: number;
  /** `/`, or the folder with another Debian that the node is chrooted into. */
  readonly root: string;
  /** The node's folder (HOME with the cookie, data, logs) as seen from inside the root. */
  readonly home: string;
  /** Where the guard listens that owns the node's process. */
  readonly socket: string;
  readonly bin: string;
}

export interface DockerHandle {
  readonly how: 'docker';
  readonly url: string;
  readonly managementUrl?: string;
  readonly version: string;
  readonly containerId: string;
}

export interface UrlHandle {
  readonly how: 'url';
  readonly url: string;
  readonly managementUrl?: string;
  readonly version: string;
}

export type BrokerHandle = NodeHandle | DockerHandle | UrlHandle;

/** The few things in which a process and a container differ; the rest of the control is built on these. */
export interface Remote {
  readonly url: string;
  ctl(args: readonly string[]): Promise<string>;
  /** Evaluates and returns what the tool printed, untouched. */
  evalRaw(erlang: string): Promise<string>;
  kill(): Promise<void>;
  /** Starts the process again; need not wait until it is open. */
  start(): Promise<void>;
}
