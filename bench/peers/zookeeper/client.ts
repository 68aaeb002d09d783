import { once } from 'node:events';
import { load } from '../load.ts';

type Callback<T> = (error: Error | null | undefined, value: T) => void;
type Watcher = () => void;

/** What is used of node-zookeeper-client. */
interface ZooKeeperClient {
  once(event: 'connected', listener: () => void): void;
  connect(): void;
  close(): void;
  mkdirp(path: string, callback: Callback<string>): void;
  create(path: string, mode: number, callback: Callback<string>): void;
  getChildren(path: string, callback: Callback<string[]>): void;
  exists(path: string, watcher: Watcher, callback: Callback<object | null>): void;
  remove(path: string, callback: Callback<undefined>): void;
}
interface ZooKeeperModule {
  readonly default: {
    createClient(servers: string): ZooKeeperClient;
    readonly CreateMode: { readonly EPHEMERAL_SEQUENTIAL: number };
  };
}

/** node-zookeeper-client with promises. */
export class ZooKeeper {
  readonly #client: ZooKeeperClient;
  readonly #mode: number;

  private constructor(client: ZooKeeperClient, mode: number) {
    this.#client = client;
    this.#mode = mode;
  }

  static async connect(urls: readonly string[]): Promise<ZooKeeper> {
    const { default: module } = await load<ZooKeeperModule>('node-zookeeper-client');
    const client = module.createClient(urls.join(','));
    const connected = once(client as unknown as EventTarget, 'connected');
    client.connect();
    await connected;
    return new ZooKeeper(client, module.CreateMode.EPHEMERAL_SEQUENTIAL);
  }

  makeFolder(path: string): Promise<string> {
    return this.#call((callback) => this.#client.mkdirp(path, callback));
  }

  /** Ephemeral, with a number behind its name. */
  makeNode(path: string): Promise<string> {
    return this.#call((callback) => this.#client.create(path, this.#mode, callback));
  }

  children(path: string): Promise<string[]> {
    return this.#call((callback) => this.#client.getChildren(path, callback));
  }

  /** Whether it is there. If so, `changed` is called once when it is gone. */
  async watch(path: string, changed: Watcher): Promise<boolean> {
    return Boolean(
      await this.#call<object | null>((callback) => this.#client.exists(path, changed, callback)),
    );
  }

  async remove(path: string): Promise<void> {
    await this.#call<undefined>((callback) => this.#client.remove(path, callback));
  }

  close(): void {
    this.#client.close();
  }

  #call<T>(work: (callback: Callback<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      work((error, value) => (error ? reject(error) : resolve(value)));
    });
  }
}
