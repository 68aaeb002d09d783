import { describe, expect, it } from 'vitest';
import { QueueMismatchError } from '../../../src/errors.ts';
import { bytes, Q, Scene, settle, show } from './fixtures.ts';

describe('a queue that goes away', () => {
  it.each(['remove', 'deleteQueue'] as const)(
    'cancels every consumer and drops everything on %s',
    async (how) => {
      const scene = new Scene();
      const [a, b] = await scene.contenders('a', 'b');
      if (how === 'remove') await b.session.remove(Q);
      else scene.broker.deleteQueue(Q);
      await settle();
      expect(scene.log).toEqual(['a cancelled', 'b cancelled']);
      expect(await a.session.look(Q)).toBe('absent');
      a.channel.requeue(a.tag());
      a.channel.close();
      await settle();
      expect(scene.log.slice(2)).toEqual(['a closed by channel']);
      expect(await a.session.declare(Q)).toEqual({ ready: 0, consumers: 0 });
    },
  );

  it('counts as removed when it was never there, and refuses a publish with a retryable error', async () => {
    const scene = new Scene();
    const session = scene.broker.connect();
    await session.remove('nowhere');
    await expect(session.publish('nowhere', bytes('token'))).rejects.toMatchObject({
      code: 'broker-unreachable',
      retryable: true,
    });
  });

  it('with other arguments refuses to be declared', async () => {
    const scene = new Scene();
    scene.broker.declareForeign(Q);
    await expect(scene.broker.connect().declare(Q)).rejects.toBeInstanceOf(QueueMismatchError);
  });

  it('expires when it had no consumer for longer than its idle expiry, whatever else was done with it', async () => {
    const scene = new Scene();
    const session = scene.broker.connect();
    await session.declare(Q, 10_000);
    await scene.clock.advance(9_000);
    await session.declare(Q, 10_000);
    await session.publish(Q, bytes('token'));
    expect(await session.look(Q)).toEqual({ ready: 1, consumers: 0 });
    await scene.clock.advance(1_001);
    expect(await session.look(Q)).toBe('absent');
  });

  it('does not expire while it has a consumer, and then counts from when the last one left', async () => {
    const scene = new Scene();
    const session = scene.broker.connect();
    await session.declare(Q, 10_000);
    const { channel } = scene.attach(session, 'a');
    await scene.clock.advance(60_000);
    expect(await session.look(Q)).toEqual({ ready: 0, consumers: 1 });
    channel.close();
    await scene.clock.advance(10_000);
    expect(await session.look(Q)).toEqual({ ready: 0, consumers: 0 });
    await scene.clock.advance(1);
    expect(await session.look(Q)).toBe('absent');
  });

  it('refuses to be declared with another idle expiry, or with none', async () => {
    const session = new Scene().broker.connect();
    await session.declare(Q, 10_000);
    await expect(session.declare(Q, 20_000)).rejects.toThrow(/another idleExpiryMs/);
    await expect(session.declare(Q)).rejects.toBeInstanceOf(QueueMismatchError);
  });

  it('keeps a held token through a purge, and loses a ready one', async () => {
    const scene = new Scene();
    const [a, b] = await scene.contenders('a', 'b');
    scene.broker.publishRaw(Q, bytes('foreign'));
    scene.broker.purge(Q);
    a.channel.close();
    await settle();
    expect(b.deliveries.map(show)).toEqual(['token+2']);
    b.channel.close();
    await settle();
    scene.broker.purge(Q);
    expect(await b.session.look(Q)).toEqual({ ready: 0, consumers: 0 });
  });
});

describe('a token taken from its holder', () => {
  it('goes to the next waiter without a word to the holder, who is last in line and settles in vain', async () => {
    const scene = new Scene();
    const [a, b] = await scene.contenders('a', 'b');
    expect(scene.broker.takeBack(Q)).toBe(true);
    a.channel.requeue(a.tag());
    await settle();
    expect(scene.log).toEqual(['b got token+2']);
    b.channel.close();
    await settle();
    expect(scene.told()).toEqual(['a got token+4', 'b got token+2', 'b closed by channel']);
  });

  it('comes back to the holder with a bigger step when nobody else waits', async () => {
    const scene = new Scene();
    const [a] = await scene.contenders('a');
    scene.broker.takeBack(Q);
    await settle();
    expect(a.deliveries.map(show)).toEqual(['token+0', 'token+2']);
    a.channel.requeue(a.tag());
    await settle();
    expect(scene.broker.line(Q)).toEqual([{ consumerTag: 'a', heldReturns: 3 }]);
  });

  it('says so when the broker closes its channel or cancels its consumer', async () => {
    const scene = new Scene();
    await scene.contenders('a', 'b', 'c');
    expect(scene.broker.closeChannel(Q)).toBe(true);
    await settle();
    expect(scene.told()).toEqual(['a closed by channel with error', 'b got token+2']);
    scene.forget();
    expect(scene.broker.cancelConsumer(Q)).toBe(true);
    await settle();
    expect(scene.told()).toEqual(['b cancelled', 'c got token+3']); // a timeout is counted like a nack
  });
});
