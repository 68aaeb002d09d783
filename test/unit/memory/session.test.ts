import { describe, expect, it } from 'vitest';
import { BrokerUnreachableError, ClosedError } from '../../../src/errors.ts';
import { bytes, changesOf, lockWithToken, Q, Scene, settle, show } from './fixtures.ts';

describe('a broken connection', () => {
  it('ends every channel and call with its error, hands the token over, and is recreated at once', async () => {
    const scene = new Scene();
    const [a, b] = await scene.contenders('a', 'b');
    const changes = changesOf(a.session);
    const look = a.session.look(Q);
    a.session.disconnect();
    await expect(look).rejects.toBeInstanceOf(BrokerUnreachableError);
    await settle();
    expect(a.ends).toMatchObject([{ scope: 'connection', error: { code: 'broker-unreachable' } }]);
    expect(b.deliveries.map(show)).toEqual(['token+2']);
    expect(changes).toMatchObject([
      { from: 'open', to: 'reconnecting', error: { code: 'broker-unreachable' } },
      { from: 'reconnecting', to: 'open' },
    ]);
  });

  it('lets calls and consumers wait, in order, until the session is connected again', async () => {
    const scene = new Scene();
    const session = scene.broker.connect();
    await lockWithToken(session);
    session.disconnect({ reconnectAfterMs: 500 });
    await settle();
    expect(session.state).toBe('reconnecting');
    scene.attach(session, 'a');
    void session.publish(Q, bytes('foreign')).then(() => scene.log.push('published'));
    void session.look(Q).then((depth) => scene.log.push(JSON.stringify(depth)));
    await scene.clock.advance(499);
    expect(scene.log).toEqual([]);
    await scene.clock.advance(1);
    expect(scene.log).toEqual(['a consuming', 'a got token+0', 'published', '{"ready":1,"consumers":1}']);
  });

  it('stays broken with Infinity until reconnect is called, also when that is called right away', async () => {
    const scene = new Scene();
    const session = scene.broker.connect();
    session.disconnect({ reconnectAfterMs: Number.POSITIVE_INFINITY });
    await scene.clock.advance(1_000_000);
    expect(session.state).toBe('reconnecting');
    session.reconnect();
    await settle();
    expect(session.state).toBe('open');
    session.disconnect({ reconnectAfterMs: Number.POSITIVE_INFINITY });
    session.reconnect();
    await settle();
    expect(session.state).toBe('open');
  });

  it('is recreated at once after a restart, whatever an earlier disconnect asked for', async () => {
    const scene = new Scene();
    const session = scene.broker.connect();
    session.disconnect({ reconnectAfterMs: 500 });
    await settle();
    await scene.clock.advance(500);
    scene.broker.restart();
    await settle();
    expect(session.state).toBe('open');
  });

  it('comes to all sessions in a restart, which keeps queues and messages and counts one return', async () => {
    const scene = new Scene();
    const [a, b] = await scene.contenders('a', 'b');
    const changes = changesOf(b.session);
    scene.broker.restart();
    await settle();
    expect(scene.log).toEqual(['a closed by connection with error', 'b closed by connection with error']);
    expect(changes.map(({ to }) => to)).toEqual(['reconnecting', 'open']);
    const again = scene.attach(a.session, 'again');
    await settle();
    expect(again.deliveries.map(show)).toEqual(['token+2']);
  });
});

describe('closing a session', () => {
  it('ends channels without an error, hands the token over, refuses calls, and leaves no timer', async () => {
    const scene = new Scene();
    const [a, b] = await scene.contenders('a', 'b');
    const changes = changesOf(a.session);
    const pending = a.session.look(Q);
    a.channel.requeue(a.tag());
    const closing = a.session.close(1_000);
    expect(a.session.close(1_000)).toBe(closing);
    await expect(pending).rejects.toBeInstanceOf(ClosedError);
    await expect(a.session.declare(Q)).rejects.toBeInstanceOf(ClosedError);
    await closing;
    const late = scene.attach(a.session, 'late');
    await settle();
    expect(scene.told()).toEqual([
      'a closed by connection',
      'b got token+3',
      'late closed by connection with error',
    ]);
    expect(late.ends[0]?.error).toBeInstanceOf(ClosedError);
    expect(changes).toEqual([{ from: 'open', to: 'closed' }]);
    expect(scene.clock.pending).toBe(0);
    expect(b.session.state).toBe('open');
  });

  it('takes no longer than its timeout on a frozen line; the broker learns of it when the line thaws', async () => {
    const scene = new Scene();
    const [a, b] = await scene.contenders('a', 'b');
    a.session.freeze();
    const closing = a.session.close(1_000);
    await scene.clock.advance(999);
    expect(scene.log).toEqual([]);
    await scene.clock.advance(1);
    await closing;
    expect(scene.log).toEqual(['a closed by connection']);
    a.session.thaw();
    await settle();
    expect(b.deliveries.map(show)).toEqual(['token+2']);
    expect(a.session.state).toBe('closed');
  });

  it('works without a connection, and ends what waited for one', async () => {
    const scene = new Scene();
    const session = scene.broker.connect();
    session.disconnect({ reconnectAfterMs: 500 });
    await settle();
    const a = scene.attach(session, 'a');
    const look = session.look(Q);
    const closing = session.close(1_000);
    await expect(look).rejects.toBeInstanceOf(ClosedError);
    await closing;
    expect(a.ends).toMatchObject([{ scope: 'connection' }]);
    expect(a.ends[0]?.error).toBeUndefined();
    expect(scene.clock.pending).toBe(0);
  });
});
