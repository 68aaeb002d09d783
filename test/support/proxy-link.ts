import { Socket } from 'node:net';
import { type Frame, FrameReader } from './amqp-frames.ts';

export type Rewrite = (bytes: Buffer) => Buffer;

export type Direction = 'to-server' | 'to-client';

/**
 * Called for each frame when it has reached the proxy and before it is passed on, so `link.freeze()` in here still
 * holds it back, with whatever else came in the same chunk. The payload is a view: copy what is to be kept.
 */
export type Watch = (link: ProxyLink, direction: Direction, frame: Frame, payload: Buffer) => void;

/** What one side sent. Counted when it reaches the proxy, so also while frozen. */
export interface Traffic {
  chunks: number;
  bytes: number;
  frames: number;
  readonly types: Map<Frame['type'], number>;
  /** Method frames by name: 'basic.ack' and so on. */
  readonly methods: Map<string, number>;
}

export interface ProxiedConnection {
  /** 1 for the first connection the proxy accepted. */
  readonly id: number;
  readonly open: boolean;
  readonly toServer: Traffic;
  readonly toClient: Traffic;
  /** Method frames from client to server, in order. */
  readonly sent: readonly { readonly method: string; readonly channel: number }[];
}

interface LinkOptions {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly frozen: boolean;
  readonly rewrite: Rewrite;
  readonly watch: Watch | undefined;
  readonly keepSent: boolean;
  readonly sums: () => { toServer: Traffic; toClient: Traffic };
  readonly onClose: () => void;
}

type Event =
  | { readonly kind: 'data'; readonly to: Socket; readonly chunk: Buffer }
  | { readonly kind: 'end' | 'gone' | 'broken'; readonly to: Socket };
const BOTH: readonly Direction[] = ['to-server', 'to-client'];

export const traffic = (): Traffic => ({
  chunks: 0,
  bytes: 0,
  frames: 0,
  types: new Map(),
  methods: new Map(),
});

const add = <K>(map: Map<K, number>, key: K): void => {
  map.set(key, (map.get(key) ?? 0) + 1);
};

const countChunk = (sum: Traffic, chunk: Buffer): void => {
  sum.chunks += 1;
  sum.bytes += chunk.length;
};

const countFrame = (sum: Traffic, frame: Frame): void => {
  sum.frames += 1;
  add(sum.types, frame.type);
  if (frame.method !== undefined) add(sum.methods, frame.method);
};

/** One client connection and its other half to the broker. */
export class ProxyLink implements ProxiedConnection {
  readonly id: number;
  readonly toServer = traffic();
  readonly toClient = traffic();
  readonly sent: { method: string; channel: number }[] = [];
  readonly #client: Socket;
  readonly #server = new Socket({ allowHalfOpen: true });
  readonly #options: LinkOptions;
  #held: Event[] = [];
  #frozen: ReadonlySet<Direction>;
  #dialled = false;
  #open = true;

  constructor(client: Socket, options: LinkOptions) {
    this.id = options.id;
    this.#client = client;
    this.#options = options;
    this.#frozen = new Set(options.frozen ? BOTH : []);
    this.#carry(client, this.#server, this.#fromClient());
    this.#carry(this.#server, client, this.#fromServer());
    if (!options.frozen) this.#dial();
  }

  get open(): boolean {
    return this.#open;
  }

  /** Nothing of these directions is passed on until {@link thaw}; both by default. */
  freeze(directions: readonly Direction[] = BOTH): void {
    this.#frozen = new Set([...this.#frozen, ...directions]);
  }

  /** What was held of these directions flows on, in order; both by default. */
  thaw(directions: readonly Direction[] = BOTH): void {
    this.#frozen = new Set([...this.#frozen].filter((direction) => !directions.includes(direction)));
    this.#dial();
    const held = this.#held;
    this.#held = [];
    for (const event of held) this.#arrive(event);
  }

  /** RST in both directions. */
  reset(): void {
    this.#client.resetAndDestroy();
    this.resetServer();
    this.#closed();
  }

  /** RST to the server only; what is to follow for the client is up to the caller ({@link freeze}). */
  resetServer(): void {
    if (this.#dialled) this.#server.resetAndDestroy();
  }

  #dial(): void {
    if (this.#dialled) return;
    this.#dialled = true;
    this.#server.setNoDelay(true);
    this.#server.connect(this.#options.port, this.#options.host);
  }

  #fromClient(): (chunk: Buffer) => Buffer {
    const { watch, keepSent } = this.#options;
    const count = new FrameReader(true, (frame, payload) => {
      countFrame(this.toServer, frame);
      countFrame(this.#options.sums().toServer, frame);
      if (keepSent && frame.method !== undefined)
        this.sent.push({ method: frame.method, channel: frame.channel });
      watch?.(this, 'to-server', frame, payload);
    });
    return (chunk) => {
      countChunk(this.toServer, chunk);
      countChunk(this.#options.sums().toServer, chunk);
      count.push(chunk);
      return chunk;
    };
  }

  #fromServer(): (chunk: Buffer) => Buffer {
    const count = new FrameReader(false, (frame, payload) => {
      countFrame(this.toClient, frame);
      countFrame(this.#options.sums().toClient, frame);
      this.#options.watch?.(this, 'to-client', frame, payload);
    });
    return (chunk) => {
      countChunk(this.toClient, chunk);
      countChunk(this.#options.sums().toClient, chunk);
      count.push(chunk);
      const rewritten = this.#options.rewrite(chunk);
      if (rewritten.length !== chunk.length)
        throw new Error('rewrite must return as many bytes as it was given');
      return rewritten;
    };
  }

  #carry(from: Socket, to: Socket, pass: (chunk: Buffer) => Buffer): void {
    from.on('data', (chunk: Buffer) => this.#arrive({ kind: 'data', to, chunk: pass(chunk) }));
    from.on('end', () => this.#arrive({ kind: 'end', to }));
    // An error is always followed by 'close', which tells whether there was one.
    from.on('error', () => {});
    from.on('close', (hadError) => this.#arrive({ kind: hadError ? 'broken' : 'gone', to }));
  }

  #arrive(event: Event): void {
    if (this.#frozen.has(event.to === this.#server ? 'to-server' : 'to-client')) this.#held.push(event);
    else this.#emit(event);
  }

  #emit(event: Event): void {
    const { to } = event;
    if (event.kind === 'data') {
      if (to.writable) to.write(event.chunk);
    } else if (event.kind === 'broken') {
      to.resetAndDestroy();
      this.#closed();
    } else {
      // end() lets bytes already written reach the other side first; it closes itself when both have ended.
      if (to.writable) to.end();
      if (event.kind === 'gone') {
        to.destroySoon();
        this.#closed();
      }
    }
  }

  #closed(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#options.onClose();
  }
}
