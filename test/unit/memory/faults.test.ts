import { describe, expect, it } from 'vitest';
import { BrokerUnreachableError } from '../../../src/errors.ts';
import { bytes, changesOf, lockWithToken, Q, Scene, settle, show } from './fixtures.ts';

describe('a slow or frozen line', () => {
  it('takes the delay each way and stays in order when the delay shrinks', async () => {
    const scene = new Scene();
    const session = scene.broker.connect();
    await lockWithToken(session);
    session.delay(100);
    scene.attach(session, 'a');
    session.delay(10);
    void session.look(Q).then(() => scene.log.push('looked'));
    await scene.clock.advance(99);
    expect(scene.broker.line(Q)).toEqual([]);
    await scene.clock.advance(1);
    expect(scene.broker.line(Q)).toEqual([{ consumerTag: 'a', heldReturns: 0 }]);
    expect(scene.log).toEqual([]);
    await scene.clock.advance(10);
    expect(scene.log).toEqual(['a consuming', 'a got token+0', 'looked']);
  });

  it('leaves calls unanswered while frozen and lets everything flow in order when thawed', async () => {
    const scene = new Scene();
    const [a, b] = await scene.contenders('a', 'b');
    a.session.freeze();
    a.channel.requeue(a.tag());
    void a.session.look(Q).then(() => scene.log.push('looked'));
    a.channel.close();
    await scene.clock.advance(60_000);
    expect(scene.log).toEqual([]);
    expect(a.session.state).toBe('open');
    a.session.thaw();
    await settle();
    expect(scene.log.filter((entry) => !entry.startsWith('b'))).toEqual(['looked', 'a closed by channel']);
    expect(b.deliveries.map(show)).toEqual(['token+3']);
    expect(b.deliveries).toHaveLength(1);
  });

  it('hands over when the broker drops a frozen session, which learns it last, after its old deliveries', async () => {
    const scene = new Scene();
    const [a, b] = await scene.contenders('a', 'b');
    b.session.freeze();
    a.channel.close();
    await settle();
    const c = scene.attach(a.session, 'c');
    await settle();
    b.session.dropFrozen();
    const late = b.session.publish(Q, bytes('late'));
    await settle();
    expect(c.deliveries.map(show)).toEqual(['token+4']);
    expect(b.deliveries).toEqual([]);
    scene.forget();
    b.session.thaw();
    await expect(late).rejects.toMatchObject({ retryable: true });
    await settle();
    expect(scene.log).toEqual(['b got token+2', 'b closed by connection with error']);
    expect(b.session.state).toBe('open');
    expect(await b.session.look(Q)).toEqual({ ready: 0, consumers: 1 });
  });

  it('cannot be dropped when it is not frozen, and does not reconnect before it is thawed', async () => {
    const scene = new Scene();
    const session = scene.broker.connect();
    expect(() => session.dropFrozen()).toThrow('not frozen');
    session.freeze();
    session.disconnect();
    await settle();
    expect(session.state).toBe('reconnecting');
    session.thaw();
    await settle();
    expect(session.state).toBe('open');
  });
});

describe('a memory alarm', () => {
  it('holds back publishes and nothing else, and blocks only the session that publishes', async () => {
    const scene = new Scene();
    const [a, b] = await scene.contenders('a', 'b');
    const changes = changesOf(a.session);
    scene.broker.alarm(true);
    for (const text of ['one', 'two']) {
      void a.session.publish(Q, bytes(text)).then(() => scene.log.push(`published ${text}`));
    }
    await settle();
    expect([a.session.state, b.session.state]).toEqual(['blocked', 'open']);
    a.channel.requeue(a.tag());
    await settle();
    a.channel.close();
    expect(await a.session.look(Q)).toEqual({ ready: 0, consumers: 1 });
    expect(scene.told()).toEqual(['a got token+1', 'a closed by channel', 'b got token+3']);
    scene.broker.alarm(false);
    await settle();
    expect(scene.log.slice(3)).toEqual(['published one', 'published two']);
    expect(changes.map(({ to }) => to)).toEqual(['blocked', 'open']);
    expect(await b.session.look(Q)).toEqual({ ready: 2, consumers: 1 });
  });

  it('loses what a session had waiting when its connection breaks', async () => {
    const scene = new Scene();
    const session = scene.broker.connect();
    await lockWithToken(session);
    scene.broker.alarm(true);
    const publish = session.publish(Q, bytes('foreign'));
    await settle();
    session.disconnect();
    await expect(publish).rejects.toBeInstanceOf(BrokerUnreachableError);
    scene.broker.alarm(false);
    expect(await session.look(Q)).toEqual({ ready: 1, consumers: 0 });
  });
});
