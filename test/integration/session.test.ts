import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { inspect, promisify } from 'node:util';
import amqp from 'amqplib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { QueueGoneError } from '../../src/broker/faults.ts';
import type { ConsumerListener, Delivery, LockSession, SessionStateChange } from '../../src/broker/port.ts';
import { connectSession } from '../../src/broker/session.ts';
import {
  AccessRefusedError,
  BatonError,
  BrokerUnreachableError,
  ClosedError,
  InvalidOptionsError,
  QueueMismatchError,
  UnsupportedBrokerError,
} from '../../src/errors.ts';
import { type BrokerUrls, type ConnectOptions, parseConnectOptions } from '../../src/options.ts';

const BROKER = process.env.BATON_URL ?? 'amqp://guest:guest@127.0.0.1:5672';

const teardowns: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const teardown of teardowns.splice(0).reverse()) await teardown();
});

async function open(urls: BrokerUrls = BROKER, options: ConnectOptions = {}): Promise<LockSession> {
  const session = await connectSession(urls, parseConnectOptions(options));
  teardowns.push(() => session.close(2_000));
  return session;
}

/** What connecting rejects with. */
async function refusal(urls: BrokerUrls, options: ConnectOptions = {}): Promise<BatonError> {
  const outcome = await connectSession(urls, parseConnectOptions(options)).catch((error: unknown) => error);
  if (outcome instanceof BatonError) return outcome;
  throw new Error(`connecting was expected to fail, and gave ${inspect(outcome)}`);
}

/** The test's broker under another address, with other credentials, vhost or query. */
function brokerUrl(change: {
  port?: number;
  user?: string;
  password?: string;
  path?: string;
  query?: string;
}) {
  const url = new URL(BROKER);
  if (change.port !== undefined) url.host = `127.0.0.1:${change.port}`;
  if (change.user !== undefined) url.username = change.user;
  if (change.password !== undefined) url.password = change.password;
  if (change.path !== undefined) url.pathname = change.path;
  if (change.query !== undefined) url.search = change.query;
  return url.href;
}

/** A queue of its own for each test, removed at its end. */
function queueName(): string {
  const name = `baton.test.lock.${randomUUID()}`;
  teardowns.push(async () => {
    const cleaner = await connectSession(BROKER, parseConnectOptions({}));
    await cleaner.remove(name);
    await cleaner.close(1_000);
  });
  return name;
}

/** Records everything that a consumer is told. */
class Recorder implements ConsumerListener {
  readonly log: string[] = [];
  readonly deliveries: Delivery[] = [];
  readonly ends: Parameters<ConsumerListener['closed']>[0][] = [];
  consuming = () => void this.log.push('consuming');
  cancelled = () => void this.log.push('cancelled');
  delivered = (delivery: Delivery) => {
    this.log.push('delivered');
    this.deliveries.push(delivery);
  };
  closed = (end: Parameters<ConsumerListener['closed']>[0]) => {
    this.log.push('closed');
    this.ends.push(end);
  };
}

const until = (condition: () => void, timeout = 8_000) => vi.waitFor(condition, { timeout, interval: 10 });

/** A TCP proxy in front of the broker that can cut, freeze, and change what the broker says. */
class TestProxy {
  readonly #server: Server;
  readonly pairs: { client: Socket; broker: Socket }[] = [];
  rewrite: (fromBroker: Buffer) => Buffer = (bytes) => bytes;
  #refusing = false;
  #frozen = false;

  private constructor() {
    const { hostname, port } = new URL(BROKER);
    this.#server = createServer((client) => {
      if (this.#refusing) {
        client.destroy();
        return;
      }
      const broker = connectSocket({ host: hostname, port: Number(port || 5672), noDelay: true });
      client.setNoDelay(true);
      this.pairs.push({ client, broker });
      client.on('data', (bytes) => this.#frozen || broker.write(bytes));
      broker.on('data', (bytes) => this.#frozen || client.write(this.rewrite(bytes)));
      for (const [one, other] of [[client, broker] as const, [broker, client] as const]) {
        one.on('error', () => {});
        one.on('close', () => other.destroy());
      }
    });
  }

  static async start(): Promise<TestProxy> {
    const proxy = new TestProxy();
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    teardowns.push(async () => {
      proxy.cut();
      proxy.#server.close();
    });
    return proxy;
  }

  url(query = ''): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return brokerUrl({ port: address.port, query });
  }

  /** How many of the client's sockets are still there. */
  get open(): number {
    return this.pairs.filter(({ client }) => !client.closed).length;
  }

  cut(): void {
    for (const { client } of this.pairs) client.destroy();
  }

  /** Accepts and hangs up until told otherwise. */
  refuse(on: boolean): void {
    this.#refusing = on;
  }

  /** Nothing passes any more, and nobody is told. */
  freeze(): void {
    this.#frozen = true;
  }
}

/** A frame with a method of AMQP's class `connection`, as the broker sends it. */
function connectionMethod(method: number, fields: Buffer): Buffer {
  const head = Buffer.from([1, 0, 0, 0, 0, 0, fields.length + 4, 0, 10, 0, method]);
  return Buffer.concat([head, fields, Buffer.from([0xce])]);
}

const shortString = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);

/** Everything that an error could show, through its causes. */
const everything = (error: unknown) => inspect(error, { depth: 10, showHidden: true });

describe('connecting', () => {
  test('a URL function is asked before every connection', async () => {
    const urls = vi.fn(async () => BROKER);
    const session = await open(urls);
    expect(session.state).toBe('open');
    expect(urls).toHaveBeenCalledTimes(2);
  });

  test('a URL function that fails is named as the reason', async () => {
    const cause = new Error('the vault is sealed');
    const error = await refusal(() => Promise.reject(cause));
    expect(error).toBeInstanceOf(BrokerUnreachableError);
    expect(error.cause).toBe(cause);
  });

  test('a URL function that never answers is given up after connectTimeoutMs', async () => {
    const error = await refusal(() => new Promise<string>(() => {}), { connectTimeoutMs: 200 });
    expect(error.message).toMatch(/function .* did not answer in time/);
  });

  test('several URLs are tried in turn', async () => {
    const session = await open([brokerUrl({ port: 1 }), BROKER]);
    expect(await session.look(queueName())).toBe('absent');
  });

  test('when no URL works, the most telling error names every host', async () => {
    const error = await refusal([brokerUrl({ port: 1 }), brokerUrl({ password: 'wrong-secret' })]);
    expect(error).toBeInstanceOf(AccessRefusedError);
    expect(error.message).toContain('127.0.0.1:1:');
    expect(error.message).toContain(new URL(BROKER).host);
  });

  test('nobody listening is unreachable, and says where', async () => {
    const error = await refusal(brokerUrl({ port: 1 }));
    expect(error).toBeInstanceOf(BrokerUnreachableError);
    expect(error.message).toContain('Nothing listens at 127.0.0.1:1');
  });

  test('a host that does not resolve is unreachable', async () => {
    const error = await refusal('amqp://no-such-host.invalid', { connectTimeoutMs: 5_000 });
    expect(error).toBeInstanceOf(BrokerUnreachableError);
    expect(error.message).toContain('no-such-host.invalid:5672');
  });

  test('TLS to a port without TLS is unreachable', async () => {
    const error = await refusal(BROKER.replace('amqp:', 'amqps:'));
    expect(error).toBeInstanceOf(BrokerUnreachableError);
    expect(error.message).toMatch(/TLS|amqps/);
  });

  test('a refused login names the user and never the password, nor does the log', async () => {
    const logged: unknown[] = [];
    const log = (...line: unknown[]) => void logged.push(line);
    const logger = { debug: log, info: log, warn: log, error: log };
    const error = await refusal(brokerUrl({ user: 'mallory', password: 'pa%2Fss-word' }), { logger });
    expect(error).toBeInstanceOf(AccessRefusedError);
    expect(error.message).toContain("'mallory'");
    expect(everything([error, logged])).not.toMatch(/pa(%2F|\/)ss-word/);
  });

  test('a missing virtual host is refused access, and named', async () => {
    const error = await refusal(brokerUrl({ path: '/no-such%2Fvhost' }));
    expect(error).toBeInstanceOf(AccessRefusedError);
    expect(error.message).toContain("virtual host 'no-such/vhost'");
  });

  test.each([
    ['amqp://user:pa ss secret@host:99999999/'],
    ['https://user:secret@host'],
    ['amqp://user:secret'],
    ['amqp://user:12/secret@host'],
    ['amqp://user:12#secret@host'],
    ['amqp://user:12?secret@host'],
    ['amqp://user:secret%zz@host'],
    ['amqp://user:secret@host?heartbeat=0'],
    ['amqp://user:secret@host?channelMax=many'],
  ])('a URL that cannot be used is an invalid option and is not quoted: %s', async (url) => {
    const error = await refusal(url);
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect(everything(error)).not.toContain('secret');
  });

  test('a server that accepts and never answers is given up in time, and no socket is left', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => void sockets.push(socket.on('error', () => {}).resume()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    teardowns.push(async () => server.close());
    const { port } = server.address() as { port: number };
    for (const protocol of ['amqp', 'amqps']) {
      const begun = performance.now();
      const error = await refusal(`${protocol}://127.0.0.1:${port}`, { connectTimeoutMs: 300 });
      expect(error).toBeInstanceOf(BrokerUnreachableError);
      expect(error.message).toContain('did not answer within');
      expect(performance.now() - begun).toBeLessThan(800);
    }
    await until(() => expect(sockets.map((socket) => socket.closed)).toEqual([true, true]));
  });

  test('a host that never answers leaves time for the next one', async () => {
    const server = createServer((socket) => void socket.on('error', () => {}).resume());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    teardowns.push(async () => server.close());
    const { port } = server.address() as { port: number };
    const session = await open([`amqp://127.0.0.1:${port}`, BROKER], { connectTimeoutMs: 2_000 });
    expect(session.state).toBe('open');
  });

  test('a lease that the negotiated heartbeat cannot vouch for is an invalid option, with both numbers', async () => {
    const error = await refusal(brokerUrl({ query: '?heartbeat=2' }), {
      leaseMs: 4_000,
      verifyEveryMs: 1_000,
    });
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect(error.message).toContain('2000 ms');
    expect(error.message).toContain('4000');
  });

  test('another product or an old version is unsupported', async () => {
    const proxy = await TestProxy.start();
    const swap = (from: RegExp, to: string) => (bytes: Buffer) =>
      Buffer.from(bytes.toString('latin1').replace(from, to), 'latin1');
    proxy.rewrite = swap(/RabbitMQ(?=.*version)|(?<=product.{5})RabbitMQ/s, 'RabbitMX');
    const other = await refusal(proxy.url());
    expect(other).toBeInstanceOf(UnsupportedBrokerError);
    expect(other.message).toContain('RabbitMX');
    proxy.rewrite = swap(/(?<=version.{5})\d/s, '2');
    const old = await refusal(proxy.url());
    expect(old).toBeInstanceOf(UnsupportedBrokerError);
    await until(() => expect(proxy.open).toBe(0));
  });
});

describe('calls', () => {
  test('a queue is absent, then declared, then holds what was published, then removed', async () => {
    const session = await open();
    const queue = queueName();
    expect(await session.look(queue)).toBe('absent');
    expect(await session.declare(queue)).toEqual({ ready: 0, consumers: 0 });
    expect(await session.declare(queue)).toEqual({ ready: 0, consumers: 0 });
    await session.publish(queue, Buffer.from('token'));
    expect(await session.look(queue)).toEqual({ ready: 1, consumers: 0 });
    await session.remove(queue);
    expect(await session.look(queue)).toBe('absent');
    await session.remove(queue);
  });

  test('a publish to a queue that is gone is returned, retryable, and costs nobody else anything', async () => {
    const session = await open();
    const queue = queueName();
    await session.declare(queue);
    const missing = queueName();
    const outcomes = await Promise.allSettled([
      session.publish(missing, Buffer.from('x')),
      session.publish(queue, Buffer.from('y')),
      session.publish(missing, Buffer.from('z')),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
    const error = await session.publish(missing, Buffer.from('x')).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(QueueGoneError);
    expect(error).toMatchObject({ retryable: true, code: 'broker-unreachable' });
    await session.publish(queue, Buffer.from('y'));
    expect(await session.look(queue)).toEqual({ ready: 2, consumers: 0 });
  });

  test('a message with an expiry is gone after it', async () => {
    const session = await open();
    const queue = queueName();
    await session.declare(queue);
    await session.publish(queue, Buffer.from('probe'), { expirationMs: 100 });
    await vi.waitFor(async () => expect(await session.look(queue)).toMatchObject({ ready: 0 }), 5_000);
  });

  test('calls that cost their channel do not cost each other anything', async () => {
    const session = await open();
    const looks = Array.from({ length: 30 }, () => session.look(`baton.test.lock.${randomUUID()}`));
    expect(new Set(await Promise.all(looks))).toEqual(new Set(['absent']));
  });

  test('calls work on a connection that allows a single channel', async () => {
    const session = await open(brokerUrl({ query: '?channelMax=1' }));
    const queue = queueName();
    expect(await Promise.all([session.look(queue), session.look(queue)])).toEqual(['absent', 'absent']);
    await session.declare(queue);
    await Promise.all([1, 2, 3].map(() => session.publish(queue, Buffer.from('x'))));
    expect(await session.look(queue)).toMatchObject({ ready: 3 });
  });

  test('declaring over a queue with other arguments, or an exclusive one, is a mismatch', async () => {
    const session = await open();
    const [classic, exclusive] = [queueName(), queueName()];
    const foreign = await amqp.connect(BROKER);
    teardowns.push(() => foreign.close());
    const channel = await foreign.createChannel();
    await channel.assertQueue(classic, { durable: true });
    await channel.assertQueue(exclusive, { exclusive: true, durable: false });
    await expect(session.declare(classic)).rejects.toBeInstanceOf(QueueMismatchError);
    await expect(session.declare(exclusive)).rejects.toBeInstanceOf(QueueMismatchError);
    await expect(session.look(exclusive)).rejects.toBeInstanceOf(QueueMismatchError);
    await channel.deleteQueue(exclusive);
  });

  test('a publisher that the broker blocks shows as blocked, and looks go on', async () => {
    const proxy = await TestProxy.start();
    const session = await open(proxy.url());
    const changes: SessionStateChange[] = [];
    session.onStateChange((change) => changes.push(change));
    const queue = queueName();
    await session.declare(queue);
    await session.publish(queue, Buffer.from('x'));
    const publisher = proxy.pairs.at(-1)?.client;
    publisher?.write(connectionMethod(60, shortString('low on memory')));
    await until(() => expect(session.state).toBe('blocked'));
    expect(await session.look(queue)).toMatchObject({ ready: 1 });
    publisher?.write(connectionMethod(61, Buffer.alloc(0)));
    await until(() => expect(session.state).toBe('open'));
    expect(changes.map(({ from, to }) => `${from} ${to}`)).toEqual(['open blocked', 'blocked open']);
  });
});

describe('contenders', () => {
  async function seeded(urls?: BrokerUrls): Promise<{ session: LockSession; queue: string }> {
    const session = await open(urls);
    const queue = queueName();
    await session.declare(queue);
    await session.publish(queue, Buffer.from('token'));
    return { session, queue };
  }

  test('a requeued token comes straight back, counted once more; a close hands it to the next in line', async () => {
    const { session, queue } = await seeded();
    const [first, second] = [new Recorder(), new Recorder()];
    const holder = session.consume(queue, 'first', first);
    await until(() => expect(first.log).toEqual(['consuming', 'delivered']));
    expect(Buffer.from(first.deliveries[0]?.body ?? []).toString()).toBe('token');
    expect(first.deliveries[0]?.returns).toBe(0);
    session.consume(queue, 'second', second);
    await until(() => expect(second.log).toEqual(['consuming']));
    holder.requeue(first.deliveries[0]?.deliveryTag ?? 0);
    await until(() => expect(first.deliveries[1]?.returns).toBe(1));
    holder.close();
    holder.close();
    await until(() => expect(second.deliveries).toHaveLength(1));
    await until(() => expect(first.ends).toEqual([{ scope: 'channel' }]));
    expect(second.deliveries[0]?.returns).toBeGreaterThan(1);
  });

  test('an acknowledged message is gone', async () => {
    const { session, queue } = await seeded();
    const recorder = new Recorder();
    const consumer = session.consume(queue, 'tag', recorder);
    await until(() => expect(recorder.deliveries).toHaveLength(1));
    consumer.ack(recorder.deliveries[0]?.deliveryTag ?? 0);
    expect(await consumer.barrier()).toMatchObject({ ready: 0 });
    consumer.close();
    await until(() => expect(recorder.ends).toHaveLength(1));
    expect(await session.look(queue)).toEqual({ ready: 0, consumers: 0 });
  });

  test('no delivery by the answer of the barrier means that there is none', async () => {
    const { session, queue } = await seeded();
    const [holder, other] = [new Recorder(), new Recorder()];
    const first = session.consume(queue, 'holder', holder);
    expect(await first.barrier()).toEqual({ ready: 0, consumers: 1 });
    expect(holder.deliveries).toHaveLength(1);
    const second = session.consume(queue, 'other', other);
    expect(await second.barrier()).toMatchObject({ ready: 0 });
    expect(other.log).toEqual(['consuming']);
    second.close();
    expect(await second.barrier()).toBeUndefined();
  });

  test('a contender that is closed before it has a channel consumes nothing, and is told', async () => {
    const { session, queue } = await seeded();
    const recorders = Array.from({ length: 20 }, () => new Recorder());
    for (const [index, recorder] of recorders.entries())
      session.consume(queue, `t${index}`, recorder).close();
    await until(() => expect(recorders.flatMap(({ ends }) => ends)).toHaveLength(20));
    expect(new Set(recorders.flatMap(({ log }) => log))).toEqual(new Set(['closed']));
    await vi.waitFor(async () => expect(await session.look(queue)).toEqual({ ready: 1, consumers: 0 }));
  });

  test('consuming from a queue that is not there ends the channel as absent', async () => {
    const session = await open();
    const recorder = new Recorder();
    session.consume(queueName(), 'tag', recorder);
    await until(() => expect(recorder.ends).toHaveLength(1));
    expect(recorder.ends[0]).toMatchObject({ scope: 'channel', absent: true });
    expect(recorder.ends[0]?.error).toBeInstanceOf(BrokerUnreachableError);
    expect(session.state).toBe('open');
  });

  test('a close that crosses a close by the broker is over, although it is never answered', async () => {
    const proxy = await TestProxy.start();
    const { session, queue } = await seeded(proxy.url());
    const recorder = new Recorder();
    const consumer = session.consume(queue, 'tag', recorder);
    await until(() => expect(recorder.deliveries).toHaveLength(1));
    // Class channel (20), close-ok (41) becomes close (40), with code, text and method: the channel stays the same.
    proxy.rewrite = (bytes) => {
      const at = bytes.indexOf(Buffer.from([0, 0, 0, 4, 0, 20, 0, 41]));
      if (at < 0) return bytes;
      const fields = Buffer.from([0, 0, 0, 11, 0, 20, 0, 40, 1, 148, 0, 0, 60, 0, 20]);
      return Buffer.concat([bytes.subarray(0, at), fields, bytes.subarray(at + 8)]);
    };
    consumer.close();
    await until(() => expect(recorder.ends).toEqual([{ scope: 'channel' }]));
  });

  test('deleting the queue cancels whoever holds and whoever waits', async () => {
    const { session, queue } = await seeded();
    const [holder, waiter] = [new Recorder(), new Recorder()];
    const first = session.consume(queue, 'holder', holder);
    await until(() => expect(holder.deliveries).toHaveLength(1));
    const second = session.consume(queue, 'waiter', waiter);
    await until(() => expect(waiter.log).toEqual(['consuming']));
    await session.remove(queue);
    await until(() => expect([holder.log.at(-1), waiter.log.at(-1)]).toEqual(['cancelled', 'cancelled']));
    for (const consumer of [first, second]) consumer.close();
    await until(() =>
      expect([holder.ends, waiter.ends]).toEqual([[{ scope: 'channel' }], [{ scope: 'channel' }]]),
    );
  });

  test('a listener that throws gives its token back and harms nobody else', async () => {
    const { session, queue } = await seeded();
    const thrower = new Recorder();
    thrower.delivered = () => {
      throw new Error('a bug');
    };
    session.consume(queue, 'thrower', thrower);
    await until(() => expect(thrower.ends).toEqual([{ scope: 'channel' }]));
    const next = new Recorder();
    session.consume(queue, 'next', next);
    await until(() => expect(next.deliveries).toHaveLength(1));
    expect(session.state).toBe('open');
  });

  test('fifty contenders fit on connections of eight channels, and every one is served', async () => {
    const { session, queue } = await seeded(brokerUrl({ query: '?channelMax=8' }));
    const recorders = Array.from({ length: 50 }, () => new Recorder());
    const consumers = recorders.map((recorder, index) => session.consume(queue, `t${index}`, recorder));
    await until(() => expect(recorders.filter(({ log }) => log.includes('consuming'))).toHaveLength(50));
    const granted = new Set<Recorder>();
    for (let round = 0; round < 50; round += 1) {
      await until(() => {
        const holder = recorders.findIndex((r) => r.deliveries.length > 0 && !granted.has(r));
        expect(holder).toBeGreaterThanOrEqual(0);
        granted.add(recorders[holder] as Recorder);
        consumers[holder]?.close();
      });
    }
    await until(() =>
      expect(recorders.flatMap(({ ends }) => ends)).toEqual(Array(50).fill({ scope: 'channel' })),
    );
    expect(recorders.flatMap(({ deliveries }) => deliveries)).toHaveLength(50);
    expect(session.state).toBe('open');
  });

  test('channels are used once: many contenders one after the other stay on one connection', async () => {
    const proxy = await TestProxy.start();
    const { session, queue } = await seeded(proxy.url('?channelMax=3'));
    for (let round = 0; round < 40; round += 1) {
      const recorder = new Recorder();
      const consumer = session.consume(queue, `round-${round}`, recorder);
      await until(() => expect(recorder.deliveries).toHaveLength(1));
      consumer.close();
    }
    expect(proxy.pairs).toHaveLength(3);
  });
});

describe('losing the connection', () => {
  test('contenders are told once, the session reconnects, and contenders asked for meanwhile get their turn', async () => {
    const proxy = await TestProxy.start();
    const session = await open(proxy.url());
    const changes: SessionStateChange[] = [];
    session.onStateChange((change) => changes.push(change));
    const queue = queueName();
    await session.declare(queue);
    await session.publish(queue, Buffer.from('token'));
    const recorder = new Recorder();
    session.consume(queue, 'tag', recorder);
    await until(() => expect(recorder.deliveries).toHaveLength(1));

    proxy.refuse(true);
    proxy.cut();
    await until(() => expect(session.state).toBe('reconnecting'));
    const again = new Recorder();
    const [look] = [session.look(queue), session.consume(queue, 'again', again)];
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(again.log).toEqual([]);
    proxy.refuse(false);
    expect(await look).not.toBe('absent');
    await until(() => expect(again.deliveries).toHaveLength(1));
    await session.publish(queue, Buffer.from('another'));
    await until(() => expect(session.state).toBe('open'));

    expect(recorder.ends).toHaveLength(1);
    expect(recorder.ends[0]).toMatchObject({ scope: 'connection' });
    expect(recorder.ends[0]?.error).toBeInstanceOf(BrokerUnreachableError);
    expect(changes.map(({ from, to }) => `${from} ${to}`)).toEqual([
      'open reconnecting',
      'reconnecting open',
    ]);
    expect(changes[0]?.error).toBeInstanceOf(BrokerUnreachableError);
  });

  test('a connection that the broker closes in good order takes its contenders along', async () => {
    const proxy = await TestProxy.start();
    const session = await open(proxy.url());
    const queue = queueName();
    await session.declare(queue);
    const recorder = new Recorder();
    session.consume(queue, 'tag', recorder);
    await until(() => expect(recorder.log).toEqual(['consuming']));
    // connection.close 320: an operator's close_connection, or a node that shuts down.
    const fields = [Buffer.from([1, 64]), shortString('CONNECTION_FORCED - by hand'), Buffer.alloc(4)];
    for (const { client } of proxy.pairs) client.write(connectionMethod(50, Buffer.concat(fields)));
    await until(() => expect(recorder.log).toEqual(['consuming', 'closed']));
    expect(recorder.ends[0]).toMatchObject({ scope: 'connection', error: { code: 'broker-unreachable' } });
    expect(recorder.ends[0]?.error?.message).toContain('by hand');
    await until(() => expect(session.state).toBe('open'));
    expect(proxy.open).toBe(2);
  });

  test('a call under way rejects as retryable when its connection dies', async () => {
    const proxy = await TestProxy.start();
    const session = await open(proxy.url());
    const queue = queueName();
    await session.declare(queue);
    await session.publish(queue, Buffer.from('x'));
    proxy.freeze();
    const calls = [session.look(queue), session.publish(queue, Buffer.from('y'))];
    await new Promise((resolve) => setTimeout(resolve, 50));
    proxy.cut();
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { code: 'broker-unreachable', retryable: true },
      });
    }
  });

  test('a line that went silent is noticed by the heartbeat, and its socket is destroyed', async () => {
    const proxy = await TestProxy.start();
    const session = await open(proxy.url('?heartbeat=1'), { leaseMs: 1_900, verifyEveryMs: 500 });
    const queue = queueName();
    await session.declare(queue);
    const recorder = new Recorder();
    session.consume(queue, 'tag', recorder);
    await until(() => expect(recorder.log).toEqual(['consuming']));
    const frozen = proxy.pairs.length;
    proxy.freeze();
    await until(() => expect(recorder.ends).toHaveLength(1), 5_000);
    expect(recorder.ends[0]).toMatchObject({ scope: 'connection', error: { code: 'broker-unreachable' } });
    await until(() => expect(proxy.pairs.slice(0, frozen).every(({ client }) => client.closed)).toBe(true));
  });

  test('rights that are gone at a reconnect are reported once, and it goes on until they are back', async () => {
    const proxy = await TestProxy.start();
    let password: string | undefined;
    const urls = () =>
      password === undefined ? proxy.url() : proxy.url().replace(/:[^:@]+@/, `:${password}@`);
    const session = await open(urls);
    const changes: SessionStateChange[] = [];
    session.onStateChange((change) => changes.push(change));
    password = 'rotated-away';
    proxy.cut();
    await until(() => expect(changes).toHaveLength(2));
    expect(changes[1]).toMatchObject({ from: 'reconnecting', to: 'reconnecting' });
    expect(changes[1]?.error).toBeInstanceOf(AccessRefusedError);
    expect(everything(changes)).not.toContain('rotated-away');
    password = undefined;
    await until(() => expect(session.state).toBe('open'));
    expect(changes).toHaveLength(3);
  });
});

describe('closing', () => {
  test('a close ends contenders, calls and connections, and everything later', async () => {
    const proxy = await TestProxy.start();
    const session = await open(proxy.url());
    const changes: SessionStateChange[] = [];
    session.onStateChange((change) => changes.push(change));
    const queue = queueName();
    await session.declare(queue);
    await session.publish(queue, Buffer.from('token'));
    const [before, after] = [new Recorder(), new Recorder()];
    session.consume(queue, 'before', before);
    await until(() => expect(before.deliveries).toHaveLength(1));
    await Promise.all([session.close(2_000), session.close(2_000)]);
    expect(before.ends).toEqual([{ scope: 'connection' }]);
    expect(changes.map(({ from, to }) => `${from} ${to}`)).toEqual(['open closed']);
    await expect(session.look(queue)).rejects.toBeInstanceOf(ClosedError);
    session.consume(queue, 'after', after);
    await until(() => expect(after.ends).toHaveLength(1));
    expect(after.ends[0]?.error).toBeInstanceOf(ClosedError);
    await until(() => expect(proxy.open).toBe(0));
  });

  test('a close on a frozen line is bounded, rejects what is under way, and destroys the sockets', async () => {
    const proxy = await TestProxy.start();
    const session = await open(proxy.url());
    const queue = queueName();
    await session.declare(queue);
    const recorder = new Recorder();
    session.consume(queue, 'tag', recorder);
    await until(() => expect(recorder.log).toEqual(['consuming']));
    proxy.freeze();
    const look = session.look(queue).catch((error: unknown) => error);
    const begun = performance.now();
    await session.close(400);
    expect(performance.now() - begun).toBeLessThan(600);
    expect(await look).toBeInstanceOf(ClosedError);
    expect(recorder.log).toEqual(['consuming', 'closed']);
    await until(() => expect(proxy.open).toBe(0));
  });

  test('a close while reconnecting ends the attempts', async () => {
    const proxy = await TestProxy.start();
    const session = await open(proxy.url());
    proxy.refuse(true);
    proxy.cut();
    await until(() => expect(session.state).toBe('reconnecting'));
    const recorder = new Recorder();
    session.consume('baton.test.lock.never', 'tag', recorder);
    const look = session.look('baton.test.lock.never').catch((error: unknown) => error);
    await session.close(500);
    expect(await look).toBeInstanceOf(ClosedError);
    expect(recorder.ends).toHaveLength(1);
    expect(session.state).toBe('closed');
  });

  test('after a close nothing keeps the process alive', async () => {
    const source = `
      import { connectSession } from './src/broker/session.ts';
      import { parseConnectOptions } from './src/options.ts';
      const session = await connectSession(process.env.BATON_URL, parseConnectOptions({}));
      await session.look('baton.test.lock.none');
      await session.publish('baton.test.lock.none', Buffer.from('x')).catch(() => {});
      session.consume('baton.test.lock.none', 'tag', { consuming() {}, delivered() {}, cancelled() {}, closed() {} });
      await session.close(1_000);
      const left = process.getActiveResourcesInfo().filter((kind) => /TCP|TLS|Timeout|Immediate/.test(kind));
      console.log(JSON.stringify(left));`;
    const run = promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', source],
      { env: { ...process.env, BATON_URL: BROKER }, timeout: 15_000 },
    );
    expect(JSON.parse((await run).stdout)).toEqual([]);
  });
});
