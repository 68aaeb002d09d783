import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ChannelModel, connect } from 'amqplib';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { askGuard } from '../../support/broker/guard-client.ts';
import {
  type BrokerHandle,
  connectControl,
  type NodeHandle,
  sharedBroker,
} from '../../support/broker/index.ts';
import { killPrograms, startProgram } from '../../support/processes.ts';
import { type FaultProxy, openProxy, type Rewrite } from '../../support/proxy.ts';

const { url, how, control } = sharedBroker();
let names = 0;
const newName = (): string => `provider-${process.pid}-${++names}`;

/** A connection that is closed after the test, if it has not met its end before. */
async function open(to: string): Promise<ChannelModel> {
  const connection = await connect(to, { noDelay: true });
  connection.on('error', () => {});
  onTestFinished(() => connection.close().catch(() => {}));
  return connection;
}

/** What it was closed with. Not `once`: that rejects when 'error' comes first. */
const closeOf = (connection: ChannelModel): Promise<unknown> =>
  new Promise((resolve) => connection.once('close', resolve));

async function proxied(rewrite?: Rewrite): Promise<FaultProxy> {
  const proxy = await openProxy(url, { rewrite });
  onTestFinished(() => proxy.close());
  return proxy;
}

const within = async <T>(promise: Promise<T>, ms: number): Promise<T | 'late'> =>
  Promise.race([promise, sleep(ms, 'late' as const)]);

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

afterEach(killPrograms);

describe('the proxy', () => {
  test('lets nothing through while frozen, closes nothing, and hands on all of it in order when thawed', async () => {
    const proxy = await proxied();
    const connection = await open(proxy.url);
    const channel = await connection.createConfirmChannel();
    const { queue } = await channel.assertQueue(newName(), { autoDelete: true });
    const seen: string[] = [];
    await channel.consume(queue, (message) => void seen.push(String(message?.content)), { noAck: true });

    proxy.freeze();
    const sent = ['1', '2', '3'];
    for (const text of sent) channel.sendToQueue(queue, Buffer.from(text));
    const confirmed = channel.waitForConfirms();
    expect(await within(confirmed, 300)).toBe('late');
    expect(seen).toEqual([]);
    expect(proxy.openConnections).toBe(1);

    proxy.thaw();
    await confirmed;
    await vi.waitFor(() => expect(seen).toEqual(sent));
  });

  test('holds back even the end of a connection while frozen', async () => {
    const proxy = await proxied();
    const direct = await (await open(url)).createChannel();
    const connection = await open(proxy.url);
    const channel = await connection.createChannel();
    const { queue } = await channel.assertQueue(newName(), { autoDelete: true });
    await channel.consume(queue, () => {});

    proxy.freeze();
    const closed = connection.close();
    await sleep(300);
    expect((await direct.checkQueue(queue)).consumerCount).toBe(1);
    proxy.thaw();
    await closed;
  });

  test('accepts new connections while frozen and keeps them waiting', async () => {
    const proxy = await proxied();
    proxy.freeze();
    const connecting = open(proxy.url);
    expect(await within(connecting, 300)).toBe('late');
    proxy.thaw();
    await connecting;
  });

  test('breaks connections with a reset, and refuses new ones for as long as it is told to', async () => {
    const proxy = await proxied();
    const socket = connectTcp(Number(new URL(proxy.url).port), '127.0.0.1');
    await once(socket, 'connect');
    await vi.waitFor(() => expect(proxy.openConnections).toBe(1));
    const failed = once(socket, 'error');
    proxy.reset();
    expect(await failed).toMatchObject([{ code: 'ECONNRESET' }]);
    expect(proxy.openConnections).toBe(0);

    proxy.refuse();
    await expect(connect(proxy.url)).rejects.toThrow();
    proxy.accept();
    await open(proxy.url);
  });

  test('makes the broker look like another version', async () => {
    const proxy = await proxied((bytes) => {
      const at = bytes.indexOf('RabbitMQ', 0, 'latin1');
      if (at >= 0) bytes.write('LavinMQ!', at, 'latin1');
      return bytes;
    });
    const { connection } = await open(proxy.url);
    expect(connection.serverProperties.product).toBe('LavinMQ!');
  });

  test('counts the frames of each direction by method', async () => {
    const proxy = await proxied();
    const connection = await open(proxy.url);
    const channel = await connection.createConfirmChannel();
    const { queue } = await channel.assertQueue(newName(), { exclusive: true });
    proxy.resetCounters();
    channel.sendToQueue(queue, Buffer.from('a body'));
    channel.sendToQueue(queue, Buffer.from('another'));
    await channel.waitForConfirms();
    const got = await channel.get(queue);
    if (got) channel.nack(got);
    await channel.close();

    expect(Object.fromEntries(proxy.toServer.methods)).toEqual({
      'basic.publish': 2,
      'basic.get': 1,
      'basic.nack': 1,
      'channel.close': 1,
    });
    expect(Object.fromEntries(proxy.toServer.types)).toMatchObject({ method: 5, header: 2, body: 2 });
    expect(proxy.toClient.methods.get('basic.get-ok')).toBe(1);
    expect(proxy.sent('basic.publish')).toBe(2);
    const methods = proxy.connections[0]?.sent.map(({ method }) => method);
    expect(methods?.slice(0, 3)).toEqual(['connection.start-ok', 'connection.tune-ok', 'connection.open']);
    expect(methods?.slice(-2)).toEqual(['basic.nack', 'channel.close']);
  });
});

describe.skipIf(control === undefined)('control over the broker', () => {
  // skipIf does not tell the compiler.
  const broker = control as NonNullable<typeof control>;

  test('a memory alarm blocks a publish until it is cleared', async () => {
    const connection = await open(url);
    const channel = await connection.createConfirmChannel();
    const { queue } = await channel.assertQueue(newName(), { exclusive: true });
    await broker.raiseMemoryAlarm();
    onTestFinished(() => broker.clearMemoryAlarm());
    const blocked = once(connection, 'blocked');
    channel.sendToQueue(queue, Buffer.from('x'));
    const confirmed = channel.waitForConfirms();
    await blocked;
    // Longer than the second after which RabbitMQ looks at its memory again.
    expect(await within(confirmed, 2_500)).toBe('late');
    await broker.clearMemoryAlarm();
    expect(await within(confirmed, 1_000)).not.toBe('late');
  });

  test.each(['restart', 'kill and start'])('a durable queue and its messages survive %s', async (way) => {
    const queue = newName();
    const before = await open(url);
    const channel = await before.createConfirmChannel();
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    channel.sendToQueue(queue, Buffer.from('x'), { persistent: true });
    await channel.waitForConfirms();
    const lost = closeOf(before);
    channel.on('error', () => {});

    if (way === 'restart') await broker.restart();
    else {
      await broker.flush();
      await broker.kill();
      await expect(connect(url)).rejects.toThrow();
      await broker.start();
    }
    await lost;
    const after = await (await open(url)).createChannel();
    // Until the queue has elected its leader again it answers with zero.
    await vi.waitFor(async () => expect((await after.checkQueue(queue)).messageCount).toBe(1), 10_000);
    await broker.purge(queue);
    await vi.waitFor(async () => expect((await after.checkQueue(queue)).messageCount).toBe(0), 5_000);
    await after.deleteQueue(queue);
  });

  test('a user has exactly the permissions it was given', async () => {
    await broker.addUser('narrow', 'secret', { configure: '^mine', write: '^mine', read: '^mine' });
    const connection = await open(url.replace('guest:guest', 'narrow:secret'));
    const allowed = await connection.createChannel();
    await allowed.assertQueue('mine', { exclusive: true });
    const refused = await connection.createChannel();
    refused.on('error', () => {});
    await expect(refused.assertQueue('yours', { exclusive: true })).rejects.toThrow('ACCESS_REFUSED');
  });

  test('a vhost can be added and deleted', async () => {
    const name = newName();
    await broker.addVhost(name);
    await (await open(`${url}/${name}`)).createChannel();
    await broker.deleteVhost(name);
    await expect(connect(`${url}/${name}`)).rejects.toThrow();
  });

  test('a policy takes effect on queues and can be cleared', async () => {
    const queue = newName();
    const channel = await (await open(url)).createConfirmChannel();
    await channel.assertQueue(queue, { exclusive: true });
    const isTaken = async (): Promise<boolean> => {
      channel.sendToQueue(queue, Buffer.from('x'));
      return channel.waitForConfirms().then(
        () => true,
        () => false,
      );
    };
    await broker.setPolicy(queue, `^${queue}$`, { 'max-length': 1, overflow: 'reject-publish' });
    await vi.waitFor(async () => expect(await isTaken()).toBe(false));
    await broker.clearPolicy(queue);
    await vi.waitFor(async () => expect(await isTaken()).toBe(true));
  });

  test('closing all connections tells every client the reason', async () => {
    const connection = await open(url);
    const told = closeOf(connection);
    await broker.closeAllConnections('the operator said so');
    expect(String(await told)).toContain('the operator said so');
  });

  test('Erlang that fails is an error, whatever its value prints like is not', async () => {
    expect(await broker.eval('{error, "no \\"error\\" at all", <<"é"/utf8>>}')).toContain(
      'no \\"error\\" at all',
    );
    await expect(broker.eval('exit(oops)')).rejects.toThrow('failed');
  });
});

describe.skipIf(how === 'url' || how === 'docker')('a private node', () => {
  async function ownedByAProgram(): Promise<{ owner: ReturnType<typeof startProgram>; handle: NodeHandle }> {
    const file = new URL('../../support/programs/hold-broker.ts', import.meta.url);
    const version = how === 'machine' ? 'machine' : process.env.BATON_BROKER_VERSION;
    const owner = startProgram(file, { env: { BATON_BROKER_VERSION: version } });
    const told = await owner.next<{ handle: BrokerHandle }>(() => true, {
      timeoutMs: 60_000,
      what: 'the handle',
    });
    if (told.handle.how !== 'machine' && told.handle.how !== 'debian-root')
      throw new Error('not a private node');
    return { owner, handle: told.handle };
  }

  test('and its folders are gone soon after its owner was killed with SIGKILL', async () => {
    const { owner, handle } = await ownedByAProgram();
    const { pid } = await askGuard(handle.socket, 'state');
    if (pid === null) throw new Error('the node does not run');
    expect(existsSync(`${handle.root}/${handle.home}`)).toBe(true);
    await owner.kill('SIGKILL');
    await vi.waitFor(
      () => {
        expect(isAlive(pid)).toBe(false);
        expect(existsSync(`${handle.root}/${handle.home}`)).toBe(false);
        expect(existsSync(dirname(handle.socket))).toBe(false);
      },
      { timeout: 5_000, interval: 20 },
    );
  });

  test('that another process killed and started again still ends with its owner', async () => {
    const { owner, handle } = await ownedByAProgram();
    const remote = connectControl(handle);
    await remote?.kill();
    await remote?.start();
    const { pid } = await askGuard(handle.socket, 'state');
    if (pid === null) throw new Error('the node does not run');
    await owner.kill('SIGTERM');
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 5_000, interval: 20 });
  });
});
