import { describe, expect, it } from 'vitest';
import { BrokerUnreachableError } from '../../../src/errors.ts';
import { changesOf, lockWithToken, Q, Scene, settle } from './fixtures.ts';

describe('a channel', () => {
  it('calls nothing back from within a call of the client', async () => {
    const scene = new Scene();
    const [a, b] = await scene.contenders('a', 'b');
    const changes = changesOf(a.session);
    scene.attach(a.session, 'new');
    a.channel.requeue(a.tag());
    a.channel.close();
    b.session.disconnect();
    scene.broker.takeBack(Q);
    a.session.freeze();
    a.session.thaw();
    scene.broker.deleteQueue(Q);
    scene.broker.restart();
    const closing = a.session.close(100);
    expect(scene.log).toEqual([]);
    expect(changes).toEqual([]);
    await closing;
  });

  it('is closed with absent when it consumes from a queue that is not there', async () => {
    const scene = new Scene();
    const a = scene.attach(scene.broker.connect(), 'a', 'nowhere');
    await settle();
    expect(a.ends).toMatchObject([
      { scope: 'channel', absent: true, error: expect.any(BrokerUnreachableError) },
    ]);
  });

  it('answers a barrier after every delivery that was due before it', async () => {
    const scene = new Scene();
    const session = scene.broker.connect();
    await lockWithToken(session);
    const a = scene.attach(session, 'a');
    const b = scene.attach(session, 'b');
    void a.channel.barrier().then((depth) => scene.log.push(`a barrier ${JSON.stringify(depth)}`));
    void b.channel.barrier().then(() => scene.log.push('b barrier'));
    await settle();
    expect(scene.log).toEqual([
      'a consuming',
      'a got token+0',
      'b consuming',
      'a barrier {"ready":0,"consumers":1}',
      'b barrier',
    ]);
  });

  it('resolves a barrier with undefined when the channel ends first, and afterwards', async () => {
    const scene = new Scene();
    const [a] = await scene.contenders('a');
    const barrier = a.channel.barrier();
    a.session.disconnect();
    expect(await barrier).toBeUndefined();
    expect(await a.channel.barrier()).toBeUndefined();
  });

  it('closes on a barrier when its queue has gone, as on any 404', async () => {
    const scene = new Scene();
    const [a] = await scene.contenders('a');
    scene.broker.deleteQueue(Q);
    expect(await a.channel.barrier()).toBeUndefined();
    expect(scene.log).toEqual(['a cancelled', 'a closed by channel with error']);
  });

  it('hears nothing between its close and the answer, and does nothing after it', async () => {
    const scene = new Scene();
    const [a, b] = await scene.contenders('a', 'b');
    a.channel.requeue(a.tag());
    a.channel.close();
    a.channel.close();
    a.channel.requeue(a.tag());
    await settle();
    a.channel.ack(1);
    await settle();
    expect(scene.told()).toEqual(['a closed by channel', 'b got token+3']);
    expect(b.deliveries).toHaveLength(1);
  });

  it('is closed with an error when it settles a delivery twice', async () => {
    const scene = new Scene();
    const [a, b] = await scene.contenders('a', 'b');
    a.channel.requeue(a.tag());
    a.channel.requeue(a.tag());
    await settle();
    expect(scene.told()).toEqual(['a got token+1', 'a closed by channel with error', 'b got token+3']);
    expect(b.deliveries).toHaveLength(1);
  });

  it('opens nothing when it is closed before there is a connection', async () => {
    const scene = new Scene();
    const session = scene.broker.connect();
    await lockWithToken(session);
    session.disconnect({ reconnectAfterMs: Number.POSITIVE_INFINITY });
    await settle();
    const a = scene.attach(session, 'a');
    a.channel.close();
    session.reconnect();
    await settle();
    expect(scene.log).toEqual(['a closed by channel']);
    expect(scene.broker.line(Q)).toEqual([]);
  });
});
