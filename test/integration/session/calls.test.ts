import { randomUUID } from 'node:crypto';
import amqp from 'amqplib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { QueueMismatchError } from '../../../src/errors.ts';
import type { SessionStateChange } from '../../../src/protocol/port.ts';
import { QueueGoneError } from '../../../src/rabbitmq/error-translation.ts';
import {
  BROKER,
  changed,
  connectionMethod,
  open,
  queueName,
  shortString,
  tapped,
  until,
} from './fixtures.ts';

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
    await until(async () => expect(await session.look(queue)).toMatchObject({ ready: 0 }));
  });

  test('calls that cost their channel do not cost each other anything', async () => {
    const session = await open();
    const looks = Array.from({ length: 30 }, () => session.look(`baton.test.lock.${randomUUID()}`));
    expect(new Set(await Promise.all(looks))).toEqual(new Set(['absent']));
  });

  test('calls work on a connection that allows a single channel', async () => {
    const session = await open(changed({ query: '?channelMax=1' }));
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
    onTestFinished(() => foreign.close());
    const channel = await foreign.createChannel();
    await channel.assertQueue(classic, { durable: true });
    await channel.assertQueue(exclusive, { exclusive: true, durable: false });
    await expect(session.declare(classic)).rejects.toBeInstanceOf(QueueMismatchError);
    await expect(session.declare(exclusive)).rejects.toBeInstanceOf(QueueMismatchError);
    await expect(session.look(exclusive)).rejects.toBeInstanceOf(QueueMismatchError);
    await channel.deleteQueue(exclusive);
  });

  test('a publisher that the broker blocks shows as blocked, and looks go on', async () => {
    const tap = await tapped();
    const session = await open(tap.url);
    const changes: SessionStateChange[] = [];
    session.onStateChange((change) => changes.push(change));
    const queue = queueName();
    await session.declare(queue);
    await session.publish(queue, Buffer.from('x'));
    // Dialled for the first publish, so after the others.
    const publisher = tap.connections.at(-1);
    publisher?.write(connectionMethod(60, shortString('low on memory')));
    await until(() => expect(session.state).toBe('blocked'));
    expect(await session.look(queue)).toMatchObject({ ready: 1 });
    publisher?.write(connectionMethod(61, Buffer.alloc(0)));
    await until(() => expect(session.state).toBe('open'));
    expect(changes.map(({ from, to }) => `${from} ${to}`)).toEqual(['open blocked', 'blocked open']);
  });
});
