/** What the tests of the session share. Everything opened here is closed at the end of the test that opened it. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { onTestFinished, vi } from 'vitest';
import type { ConsumerListener, Delivery, LockSession } from '../../../src/broker/port.ts';
import { connectSession } from '../../../src/broker/session.ts';
import { BatonError } from '../../../src/errors.ts';
import { type ConnectOptions, parseConnectOptions } from '../../../src/options.ts';
import type { BrokerUrls } from '../../../src/urls.ts';
import { sharedBroker } from '../../support/broker/index.ts';
import { type FaultProxy, openProxy, type ProxyOptions } from '../../support/proxy.ts';
import { openTap, type Tap } from '../../support/tap.ts';

export const BROKER = sharedBroker().url;

export async function open(urls: BrokerUrls = BROKER, options: ConnectOptions = {}): Promise<LockSession> {
  const session = await connectSession(urls, parseConnectOptions(options));
  onTestFinished(() => session.close(2_000));
  return session;
}

/** A session, and a queue with one message. */
export async function seeded(urls?: BrokerUrls): Promise<{ session: LockSession; queue: string }> {
  const session = await open(urls);
  const queue = queueName();
  await session.declare(queue);
  await session.publish(queue, Buffer.from('token'));
  return { session, queue };
}

/** What connecting rejects with. */
export async function refusal(urls: BrokerUrls, options: ConnectOptions = {}): Promise<BatonError> {
  const outcome = await connectSession(urls, parseConnectOptions(options)).catch((error: unknown) => error);
  if (outcome instanceof BatonError) return outcome;
  throw new Error(`connecting was expected to fail, and gave ${inspect(outcome)}`);
}

interface UrlChange {
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  readonly path?: string;
  readonly query?: string;
}

/** The broker under another address, with other credentials, vhost or query. */
export function changed(change: UrlChange, of = BROKER): string {
  const url = new URL(of);
  if (change.port !== undefined) url.host = `127.0.0.1:${change.port}`;
  if (change.user !== undefined) url.username = change.user;
  if (change.password !== undefined) url.password = change.password;
  if (change.path !== undefined) url.pathname = change.path;
  if (change.query !== undefined) url.search = change.query;
  return url.href;
}

/** A queue of its own for each test, removed at its end. */
export function queueName(): string {
  const name = `baton.test.lock.${randomUUID()}`;
  onTestFinished(async () => {
    const cleaner = await connectSession(BROKER, parseConnectOptions({}));
    await cleaner.remove(name).finally(() => cleaner.close(1_000));
  });
  return name;
}

export async function proxied(options?: ProxyOptions): Promise<FaultProxy> {
  const proxy = await openProxy(BROKER, options);
  onTestFinished(() => proxy.close());
  return proxy;
}

export async function tapped(targetUrl = BROKER): Promise<Tap> {
  const tap = await openTap(targetUrl);
  onTestFinished(() => tap.close());
  return tap;
}

/** A server that accepts connections, and never says a word. */
export async function silentServer(): Promise<{ port: number; sockets: readonly Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on('error', () => {}).resume()));
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return { port, sockets };
}

/** Records everything that a consumer is told. */
export class Recorder implements ConsumerListener {
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

/** Nothing is tested about how long it takes: the limit leaves room for a busy machine. */
export const until = (condition: () => void | Promise<void>) =>
  vi.waitFor(condition, { timeout: 15_000, interval: 10 });

/** A frame with a method of AMQP's class `connection`, as the broker sends it. */
export function connectionMethod(method: number, fields: Buffer): Buffer {
  const head = Buffer.from([1, 0, 0, 0, 0, 0, fields.length + 4, 0, 10, 0, method]);
  return Buffer.concat([head, fields, Buffer.from([0xce])]);
}

export const shortString = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);

/** Everything that an error could show, through its causes. */
export const everything = (error: unknown) => inspect(error, { depth: 10, showHidden: true });
