import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection as AmqpConnection, type Channel, connect, type Replies } from 'amqplib/callback_api';
import { lockQueueArguments } from '../../../src/protocol/queues.ts';
import type { BrokerControl } from '../../support/broker/index.ts';
import { type Answered, call, codeOf, RealChannel } from './real-channel.ts';
import {
  type Backend,
  connectionOf,
  isOfRegister,
  PUBLISHER,
  SERVICE,
  type Step,
  type View,
} from './script.ts';

export interface RealBroker {
  readonly url: string;
  readonly version: string;
  readonly control?: BrokerControl;
}

interface Connection {
  readonly amqp: AmqpConnection;
  isOpen: boolean;
}

/** A broker as an AMQP client sees it, without anything of the product in between. */
export class RealBackend implements Backend {
  readonly #broker: RealBroker;
  readonly #queue = `conformance-${randomUUID()}`;
  readonly #connections = new Map<string, Promise<Connection>>();
  readonly #channels = new Map<string, RealChannel>();
  #hasRegister = false;
  #undo: (() => Promise<unknown>)[] = [];

  constructor(broker: RealBroker) {
    this.#broker = broker;
  }

  async perform(step: Step): Promise<void> {
    const queue = isOfRegister(step) ? this.#register : this.#queue;
    this.#hasRegister ||= isOfRegister(step);
    switch (step.do) {
      case 'declare': {
        const args = step.arguments ?? lockQueueArguments();
        return this.#onService('declare', (it, done) => it.assertQueue(queue, { arguments: args }, done));
      }
      case 'purge':
        return this.#onService('purge', (it, done) => it.purgeQueue(queue, done));
      case 'delete':
        return this.#onService('delete', (it, done) => it.deleteQueue(queue, {}, done));
      case 'recreate':
        await this.perform({ do: 'delete' });
        await sleep(step.afterMs);
        return this.perform({ do: 'declare' });
      case 'drop':
      case 'leave':
        return this.#disconnect(step.connection, step.do);
      case 'wait':
        return sleep(step.ms);
      case 'alarm':
        this.#undo.push(() => this.#control.clearMemoryAlarm());
        return step.on ? this.#control.raiseMemoryAlarm() : this.#control.clearMemoryAlarm();
      case 'policy':
        return this.#setPolicy(step.definition);
      case 'restart':
        return this.#control.restart();
      case 'kill':
        await this.#control.flush();
        await this.#control.kill();
        return this.#control.start();
      case 'publish':
        (await this.#channel(PUBLISHER)).publish(queue, step.message, step.ttlMs);
        return;
      case 'limit':
        if (!this.#broker.version.startsWith('3.')) return;
        return (await this.#channel(step.channel)).limit();
      default:
        return (await this.#channel(step.channel)).perform(step, queue);
    }
  }

  async view(): Promise<View> {
    const channels = [...this.#channels].map(([name, { seen }]) => [name, [...seen]]);
    const register = this.#hasRegister && { register: await this.#look(this.#register) };
    return { channels: Object.fromEntries(channels), queue: await this.#look(this.#queue), ...register };
  }

  async end(): Promise<void> {
    for (const undo of this.#undo.reverse()) await undo();
    const channel = await this.#open('S');
    for (const queue of [this.#queue, this.#register])
      await call((done) => channel.deleteQueue(queue, {}, done));
    for (const connection of await Promise.all(this.#connections.values())) {
      if (connection.isOpen) await call((done) => connection.amqp.close(done));
    }
  }

  get #register(): string {
    return `${this.#queue}-register`;
  }

  get #control(): BrokerControl {
    const { control } = this.#broker;
    if (control === undefined) throw new Error('this broker is not ours to control');
    return control;
  }

  /** On a channel of its own: a 404 closes it. */
  async #look(queue: string): Promise<string> {
    const channel = await this.#open('S');
    channel.on('error', () => {});
    try {
      const depth = await call<Replies.AssertQueue>((done) => channel.checkQueue(queue, done));
      await call((done) => channel.close(done));
      return `${depth.messageCount}/${depth.consumerCount}`;
    } catch (error) {
      if (codeOf(error) === 404) return 'absent';
      throw error;
    }
  }

  async #open(connection: string): Promise<Channel> {
    const { amqp } = await this.#connection(connection);
    return call((done) => amqp.createChannel(done));
  }

  async #onService(
    name: string,
    request: (channel: Channel, done: Answered<unknown>) => void,
  ): Promise<void> {
    await (await this.#channel(SERVICE)).request(name, request);
  }

  async #setPolicy(definition: Readonly<Record<string, string | number>> | undefined): Promise<void> {
    if (definition === undefined) return this.#control.clearPolicy(this.#queue);
    await this.#control.setPolicy(this.#queue, `^${this.#queue}$`, definition);
    this.#undo.push(() => this.#control.clearPolicy(this.#queue).catch(() => {}));
  }

  async #disconnect(name: string, how: 'drop' | 'leave'): Promise<void> {
    const { amqp } = await this.#connection(name);
    this.#connections.delete(name);
    for (const [channel, it] of this.#channels) if (connectionOf(channel) === name) it.leave();
    if (how === 'leave') return call((done) => amqp.close(done));
    const { stream } = amqp.connection as unknown as { stream: Socket };
    const closed = new Promise((resolve) => amqp.once('close', resolve));
    // With an error, else amqplib does not notice.
    stream.destroy(new Error('dropped by the script'));
    await closed;
  }

  async #connection(name: string): Promise<Connection> {
    const known = this.#connections.get(name);
    if (known !== undefined && (await known).isOpen) return known;
    const opening = this.#dial();
    this.#connections.set(name, opening);
    return opening;
  }

  async #dial(): Promise<Connection> {
    const amqp = await call<AmqpConnection>((done) => connect(this.#broker.url, { noDelay: true }, done));
    const connection = { amqp, isOpen: true };
    amqp.on('error', () => {});
    amqp.on('close', () => {
      connection.isOpen = false;
    });
    return connection;
  }

  async #channel(name: string): Promise<RealChannel> {
    const known = this.#channels.get(name);
    if (known?.isOpen) return known;
    const { amqp } = await this.#connection(connectionOf(name));
    const raw = await call<Channel>((done) =>
      name === PUBLISHER ? amqp.createConfirmChannel(done) : amqp.createChannel(done),
    );
    const channel = new RealChannel(raw, known?.seen);
    this.#channels.set(name, channel);
    return channel;
  }
}
