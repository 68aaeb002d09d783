import { describe, expect, test } from 'vitest';
import { BrokerUnreachableError } from '../../../src/errors.ts';
import { open, queueName, Recorder, seeded, until } from './fixtures.ts';

describe('contenders', () => {
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
    // The answer to the close comes a moment before the consumer is gone.
    await until(async () => expect(await session.look(queue)).toEqual({ ready: 0, consumers: 0 }));
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

  test('consuming from a queue that is not there ends the channel as absent', async () => {
    const session = await open();
    const recorder = new Recorder();
    session.consume(queueName(), 'tag', recorder);
    await until(() => expect(recorder.ends).toHaveLength(1));
    expect(recorder.ends[0]).toMatchObject({ scope: 'channel', absent: true });
    expect(recorder.ends[0]?.error).toBeInstanceOf(BrokerUnreachableError);
    expect(session.state).toBe('open');
  });

  test('deleting the queue cancels anybody who holds and anybody who waits', async () => {
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
});
