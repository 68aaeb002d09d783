import { describe, expect, test, vi } from 'vitest';
import { AccessRefusedError, BrokerUnreachableError } from '../../../src/errors.ts';
import type { SessionStateChange } from '../../../src/protocol/port.ts';
import {
  changed,
  connectionMethod,
  everything,
  open,
  proxied,
  queueName,
  Recorder,
  seeded,
  shortString,
  tapped,
  until,
} from './fixtures.ts';

describe('losing the connection', () => {
  test('contenders are told once, the session reconnects, and contenders asked for meanwhile get their turn', async () => {
    const proxy = await proxied();
    const urls = vi.fn(() => proxy.url);
    const { session, queue } = await seeded(urls);
    const changes: SessionStateChange[] = [];
    session.onStateChange((change) => changes.push(change));
    const recorder = new Recorder();
    session.consume(queue, 'tag', recorder);
    await until(() => expect(recorder.deliveries).toHaveLength(1));

    proxy.refuse();
    proxy.reset();
    await until(() => expect(session.state).toBe('reconnecting'));
    const again = new Recorder();
    const [look] = [session.look(queue), session.consume(queue, 'again', again)];
    const asked = urls.mock.calls.length;
    await until(() => expect(urls.mock.calls.length).toBeGreaterThan(asked + 5));
    expect(again.log).toEqual([]);
    proxy.accept();
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
    const tap = await tapped();
    const session = await open(tap.url);
    const queue = queueName();
    await session.declare(queue);
    const recorder = new Recorder();
    session.consume(queue, 'tag', recorder);
    await until(() => expect(recorder.log).toEqual(['consuming']));
    // connection.close 320: an operator's close_connection, or a node that shuts down.
    const fields = [Buffer.from([1, 64]), shortString('CONNECTION_FORCED - by hand'), Buffer.alloc(4)];
    for (const client of tap.connections) client.write(connectionMethod(50, Buffer.concat(fields)));
    await until(() => expect(recorder.log).toEqual(['consuming', 'closed']));
    expect(recorder.ends[0]).toMatchObject({ scope: 'connection', error: { code: 'broker-unreachable' } });
    expect(recorder.ends[0]?.error?.message).toContain('by hand');
    await until(() => expect(session.state).toBe('open'));
    await until(() => expect(tap.openConnections).toBe(2));
  });

  test('a call under way rejects as retryable when its connection dies', async () => {
    const proxy = await proxied();
    const tap = await tapped(proxy.url);
    const session = await open(tap.url);
    const queue = queueName();
    await session.declare(queue);
    await session.publish(queue, Buffer.from('x'));
    proxy.freeze();
    proxy.resetCounters();
    const calls = [session.look(queue), session.publish(queue, Buffer.from('y'))];
    await until(() => expect([proxy.sent('queue.declare'), proxy.sent('basic.publish')]).toEqual([1, 1]));
    // An end without a word, where the other tests break the line with a reset.
    for (const client of tap.connections) client.destroy();
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { code: 'broker-unreachable', retryable: true },
      });
    }
  });

  test('a line that went silent is noticed by the heartbeat, and its socket is destroyed', async () => {
    const proxy = await proxied();
    // Frozen, the proxy does not pass a hang-up on: the tap before it sees the client's.
    const tap = await tapped(proxy.url);
    const session = await open(changed({ query: '?heartbeat=1' }, tap.url), {
      leaseMs: 1_900,
      verifyEveryMs: 500,
    });
    const queue = queueName();
    await session.declare(queue);
    const recorder = new Recorder();
    session.consume(queue, 'tag', recorder);
    await until(() => expect(recorder.log).toEqual(['consuming']));
    const frozen = [...tap.connections];
    proxy.freeze();
    await until(() => expect(recorder.ends).toHaveLength(1));
    expect(recorder.ends[0]).toMatchObject({ scope: 'connection', error: { code: 'broker-unreachable' } });
    await until(() => expect(frozen.map((client) => client.closed)).toEqual(frozen.map(() => true)));
  });

  test('rights that are gone at a reconnect are reported once, and it goes on until they are back', async () => {
    const proxy = await proxied();
    let password: string | undefined;
    const urls = () => (password === undefined ? proxy.url : changed({ password }, proxy.url));
    const session = await open(urls);
    const changes: SessionStateChange[] = [];
    session.onStateChange((change) => changes.push(change));
    password = 'rotated-away';
    proxy.reset();
    await until(() => expect(changes).toHaveLength(2));
    expect(changes[1]).toMatchObject({ from: 'reconnecting', to: 'reconnecting' });
    expect(changes[1]?.error).toBeInstanceOf(AccessRefusedError);
    expect(everything(changes)).not.toContain('rotated-away');
    password = undefined;
    await until(() => expect(session.state).toBe('open'));
    expect(changes).toHaveLength(3);
  });
});
