import { describe, expect, it } from 'vitest';
import { bytes, Q, Scene, settle, show } from './fixtures.ts';

describe('the line of a queue', () => {
  it('delivers only to the first consumer attached, and to the others in order of arrival as channels close', async () => {
    const scene = new Scene();
    const all = await scene.contenders('a', 'b', 'c');
    expect(all.map(({ deliveries }) => deliveries.length)).toEqual([1, 0, 0]);
    all[0].channel.close();
    await settle();
    expect(scene.told()).toEqual(['a closed by channel', 'b got token+2']);
    scene.forget();
    all[1].channel.close();
    await settle();
    expect(scene.told()).toEqual(['b closed by channel', 'c got token+4']);
  });

  it.each([
    { version: [3, 10, 8] as const, count: 1 },
    { version: [4, 0, 5] as const, count: 1 },
    { version: [4, 3, 0] as const, count: 2 },
    { version: [5, 0, 0] as const, count: 2 },
  ])('counts $count for a channel close and 1 for a nack on $version', async ({ version, count }) => {
    const scene = new Scene(version);
    const [a, b] = await scene.contenders('a', 'b');
    a.channel.requeue(a.tag());
    await settle();
    a.channel.close();
    await settle();
    expect(a.deliveries.map(show)).toEqual(['token+0', 'token+1']);
    expect(b.deliveries.map(show)).toEqual([`token+${1 + count}`]);
  });

  it('hands a requeued message straight back to the same consumer, with a new tag and foreign messages still behind it', async () => {
    const scene = new Scene();
    const [a, b] = await scene.contenders('a', 'b');
    scene.broker.publishRaw(Q, bytes('foreign'), { returns: 7 });
    for (let round = 0; round < 3; round++) {
      a.channel.requeue(a.tag());
      await settle();
    }
    expect(a.deliveries.map(show)).toEqual(['token+0', 'token+1', 'token+2', 'token+3']);
    expect(new Set(a.deliveries.map(({ deliveryTag }) => deliveryTag)).size).toBe(4);
    expect(b.deliveries).toEqual([]);
  });

  it('never lets a foreign message overtake the token, through close and disconnect; an ack makes it the next', async () => {
    const scene = new Scene();
    const [a, b, c] = await scene.contenders('a', 'b', 'c');
    scene.broker.publishRaw(Q, bytes('foreign'), { returns: 7 });
    a.channel.close();
    await settle();
    b.session.disconnect();
    await settle();
    expect(c?.deliveries.map(show)).toEqual(['token+4']);
    c?.channel.ack(c.tag());
    await settle();
    expect(c?.deliveries.map(show)).toEqual(['token+4', 'foreign+7']);
  });

  it('counts what is ready and only the active consumer', async () => {
    const scene = new Scene();
    const session = scene.broker.connect();
    expect(await session.look(Q)).toBe('absent');
    expect(await session.declare(Q)).toEqual({ ready: 0, consumers: 0 });
    await session.publish(Q, bytes('token'));
    expect(await session.declare(Q)).toEqual({ ready: 1, consumers: 0 });
    for (const name of ['a', 'b', 'c']) scene.attach(session, name);
    scene.broker.publishRaw(Q, bytes('foreign'));
    await settle();
    expect(await session.look(Q)).toEqual({ ready: 1, consumers: 1 });
  });

  it('lets a waiter leave without touching the token', async () => {
    const scene = new Scene();
    const [a, b, c] = await scene.contenders('a', 'b', 'c');
    b.channel.close();
    await settle();
    a.channel.close();
    await settle();
    expect(b.deliveries).toEqual([]);
    expect(c?.deliveries.map(show)).toEqual(['token+2']);
  });

  it('returns what a whole connection held before it serves anybody, so the token does not hop through dying channels', async () => {
    const scene = new Scene();
    const [a, b] = await scene.contenders('a', 'b');
    b.channel.close();
    const second = scene.attach(a.session, 'a2');
    await settle();
    const other = scene.attach(b.session, 'b2');
    await settle();
    a.session.disconnect();
    await settle();
    expect(second.deliveries).toEqual([]);
    expect(other.deliveries.map(show)).toEqual(['token+2']);
  });

  it('gives every receiver a body of its own', async () => {
    const scene = new Scene();
    const [a, b] = await scene.contenders('a', 'b');
    a.deliveries[0]?.body.fill(0);
    a.channel.close();
    await settle();
    expect(b.deliveries.map(show)).toEqual(['token+2']);
  });
});

describe('expiration', () => {
  it('drops a ready message behind a held token when its time has come', async () => {
    const scene = new Scene();
    const [a] = await scene.contenders('a');
    await a.session.publish(Q, bytes('probe'), { expirationMs: 2_000 });
    await scene.clock.advance(1_999);
    expect(await a.session.look(Q)).toEqual({ ready: 1, consumers: 1 });
    await scene.clock.advance(1);
    expect(await a.session.look(Q)).toEqual({ ready: 0, consumers: 1 });
  });

  it('never delivers an expired message, and keeps one that is behind a message that stays', async () => {
    const scene = new Scene();
    const [a] = await scene.contenders('a');
    scene.broker.publishRaw(Q, bytes('foreign'));
    scene.broker.publishRaw(Q, bytes('probe'), { expirationMs: 2_000 });
    await scene.clock.advance(5_000);
    expect(await a.session.look(Q)).toEqual({ ready: 2, consumers: 1 });
    a.channel.ack(a.tag());
    await settle();
    a.channel.ack(a.tag());
    await settle();
    expect(a.deliveries.map(show)).toEqual(['token+0', 'foreign+0']);
    expect(await a.session.look(Q)).toEqual({ ready: 0, consumers: 1 });
  });
});
