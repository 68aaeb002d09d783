import {
  advance,
  channelOf,
  createModel,
  endConnection,
  type Model,
  nackedOf,
  openChannel,
  openConnection,
  type QueueName,
  receive,
  restartNode,
  type ServerFrame,
  send,
  setAlarm,
  settle,
  type Version,
} from '../model/index.ts';
import {
  type Backend,
  connectionOf,
  type DeclareStep,
  delivery,
  isOfRegister,
  PUBLISHER,
  SERVICE,
  type Step,
  type View,
} from './script.ts';

/** Longer than the broker takes for what it does by itself (3.10 tells of a deletion after 30 ms). */
const QUIET_MS = 100;

interface ModelChannel {
  id: number;
  readonly seen: string[];
  readonly deliveryTags: Map<string, number>;
  readonly unconfirmed: string[];
  /** Declarations and looks that wait for a declare-ok. */
  readonly asks: string[];
  isOpen: boolean;
}

/** The model of the simulation, asked and watched like a real broker. */
export class ModelBackend implements Backend {
  readonly #model: Model;
  readonly #connections = new Map<string, number>();
  readonly #channels = new Map<string, ModelChannel>();
  #hasRegister = false;

  /** `queue`: the arguments with which the script declares its queue, if not those of a lock. */
  constructor(version: Version, queue?: DeclareStep['arguments']) {
    this.#model = createModel(version, 1, queue);
  }

  async perform(step: Step): Promise<void> {
    this.#hasRegister ||= isOfRegister(step);
    this.#act(step);
    this.#rest(0);
    this.#rest(QUIET_MS);
  }

  async view(): Promise<View> {
    const channels = [...this.#channels].map(([name, { seen }]) => [name, [...seen]]);
    return {
      channels: Object.fromEntries(channels),
      queue: this.#look('lock'),
      ...(this.#hasRegister && { register: this.#look('register') }),
    };
  }

  async end(): Promise<void> {}

  /** What can be done on a channel now. */
  standing(name: string): { readonly isOpen: boolean; readonly consumes: boolean; readonly held: string[] } {
    const known = this.#channels.get(name);
    if (!known?.isOpen) return { isOpen: false, consumes: false, held: [] };
    const { unacked, consumes } = channelOf(this.#model, known.id);
    const held = [...known.deliveryTags].filter(([, tag]) =>
      unacked.some((each) => each.deliveryTag === tag),
    );
    return { isOpen: true, consumes: consumes.includes('lock'), held: held.map(([message]) => message) };
  }

  /** The open channels of a connection. */
  channels(connection: string): string[] {
    return [...this.#channels]
      .filter(([name, { isOpen }]) => isOpen && connectionOf(name) === connection)
      .map(([name]) => name);
  }

  #act(step: Step): void {
    const of = isOfRegister(step) ? ({ of: 'register' } as const) : {};
    switch (step.do) {
      case 'declare':
      case 'purge':
      case 'delete':
        this.#send(SERVICE, { do: step.do, ...of });
        break;
      case 'recreate':
        this.#act({ do: 'delete' });
        this.#rest(0);
        this.#rest(step.afterMs);
        this.#act({ do: 'declare' });
        break;
      case 'publish': {
        const { message, ttlMs } = step;
        this.#channel(PUBLISHER).unconfirmed.push(message);
        this.#send(PUBLISHER, {
          do: 'publish',
          ...of,
          label: message,
          body: Buffer.from(message),
          expirationMs: ttlMs,
        });
        break;
      }
      case 'consume':
        if (step.priority !== undefined) throw new Error('the model knows no priorities');
        this.#send(step.channel, { do: 'consume', ...of, prefetch: step.prefetch ?? 1 });
        break;
      case 'cancel':
      case 'close':
      case 'look':
      case 'limit':
        this.#send(step.channel, { do: step.do });
        break;
      case 'ack':
      case 'nack':
      case 'reject':
        this.#send(step.channel, {
          do: step.do === 'nack' ? 'requeue' : step.do,
          deliveryTag: this.#channel(step.channel).deliveryTags.get(step.message) ?? 0,
        });
        break;
      case 'drop':
      case 'leave':
        this.#disconnect(step.connection);
        break;
      case 'wait':
        this.#rest(step.ms);
        break;
      case 'alarm':
        setAlarm(this.#model, step.on);
        break;
      case 'restart':
      case 'kill':
        restartNode(this.#model, 0);
        for (const channel of this.#channels.values()) {
          if (channel.isOpen) channel.seen.push('lost');
          channel.isOpen = false;
        }
        this.#connections.clear();
        break;
      default:
        throw new Error(`the model does not know ${step.do}`);
    }
  }

  #rest(ms: number): void {
    advance(this.#model, ms);
    settle(this.#model);
    for (const channel of this.#channels.values()) {
      for (let frame = receive(this.#model, channel.id); frame; frame = receive(this.#model, channel.id)) {
        if (channel.isOpen) note(channel, frame, this.#model.version);
      }
    }
  }

  #disconnect(name: string): void {
    const id = this.#connections.get(name);
    if (id === undefined) return;
    for (const [channel, it] of this.#channels) if (connectionOf(channel) === name) it.isOpen = false;
    this.#connections.delete(name);
    endConnection(this.#model, id);
  }

  #look(of: QueueName): string {
    const id = openChannel(this.#model, this.#connection('S'));
    send(this.#model, id, { do: 'look', of });
    settle(this.#model);
    const answer = receive(this.#model, id);
    if (answer?.is === 'declare-ok') return `${answer.ready}/${answer.consumers}`;
    return answer?.is === 'closed' && answer.code === 404 ? 'absent' : `${answer?.is}`;
  }

  #send(name: string, frame: Parameters<typeof send>[2]): void {
    const { id, asks } = this.#channel(name);
    if (frame.do === 'declare' || frame.do === 'look') asks.push(frame.do);
    send(this.#model, id, frame);
  }

  #connection(name: string): number {
    const id = this.#connections.get(name) ?? openConnection(this.#model);
    this.#connections.set(name, id);
    return id;
  }

  #channel(name: string): ModelChannel {
    const known = this.#channels.get(name);
    if (known?.isOpen) return known;
    const channel = {
      id: openChannel(this.#model, this.#connection(connectionOf(name))),
      seen: known?.seen ?? [],
      deliveryTags: new Map<string, number>(),
      unconfirmed: [],
      asks: [],
      isOpen: true,
    };
    this.#channels.set(name, channel);
    return channel;
  }
}

function note(channel: ModelChannel, frame: ServerFrame, version: Version): void {
  const { seen, unconfirmed, deliveryTags } = channel;
  switch (frame.is) {
    case 'declare-ok':
      seen.push(`${channel.asks.shift()}-ok ${frame.ready}/${frame.consumers}`);
      break;
    case 'deliver': {
      const { message, deliveryTag } = frame;
      deliveryTags.set(message.label, deliveryTag);
      seen.push(delivery(message.label, message.returns, message.returns > 0, nackedOf(version, message)));
      break;
    }
    case 'confirm':
      seen.push(`confirmed ${unconfirmed.shift()}`);
      break;
    case 'returned': {
      const message = unconfirmed.shift();
      seen.push(`returned ${message}`, `confirmed ${message}`);
      break;
    }
    case 'cancel':
      seen.push(frame.of === 'register' ? 'cancelled register' : 'cancelled');
      break;
    case 'closed':
      seen.push(`closed ${frame.code}`);
      channel.isOpen = false;
      break;
    default:
      seen.push(frame.is);
      if (frame.is === 'close-ok') channel.isOpen = false;
  }
}
