import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryBroker, type MemorySession } from '../../src/broker/memory.ts';
import type { ConsumerListener, Delivery, SessionStateChange } from '../../src/broker/port.ts';
import type { Clock } from '../../src/clock.ts';
import { BrokerUnreachableError, ClosedError, QueueMismatchError } from '../../src/errors.ts';

class ManualClock implements Clock {
  #mono = 0;
  readonly timers = new Set<{ at: number; callback: () => void }>();

  now() {
    return { mono: this.#mono, wall: this.#mono };
  }

  setTimer(at: number, callback: () => void) {
    const timer = { at, callback };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }

  async advance(ms: number) {
    const end = this.#mono + ms;
    for (;;) {
      const due = [...this.timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.timers.delete(due);
      this.#mono = Math.max(this.#mono, due.at);
      due.callback();
      await settle();
    }
    this.#mono = end;
    await settle();
  }
}

/** Every microtask that is due has run when an immediate runs. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const bytes = (text: string) => new TextEncoder().encode(text);
const show = ({ body, returns }: Delivery) => `${new TextDecoder().decode(body)}+${returns}`;

const Q = 'lock';
let clock: ManualClock;
let broker: MemoryBroker;
/** Everything that any consumer was told, in order. */
let log: string[];
/** The same consumer by consumer, because no order is promised between connections. */
const told = () => log.toSorted((one, other) => one.charCodeAt(0) - other.charCodeAt(0));

beforeEach(() => {
  clock = new ManualClock();
  broker = new MemoryBroker({ clock });
  log = [];
});

function attach(session: MemorySession, name: string, queue = Q) {
  const deliveries: Delivery[] = [];
  const ends: Parameters<ConsumerListener['closed']>[0][] = [];
  const channel = session.consume(queue, name, {
    consuming: () => log.push(`${name} consuming`),
    delivered: (delivery) => {
      deliveries.push(delivery);
      log.push(`${name} got ${show(delivery)}`);
    },
    cancelled: () => log.push(`${name} cancelled`),
    closed: (end) => {
      ends.push(end);
      log.push(`${name} closed by ${end.scope}${end.error ? ' with error' : ''}`);
    },
  });
  return { channel, deliveries, ends, tag: () => deliveries.at(-1)?.deliveryTag ?? 0 };
}

async function lockWithToken(session: MemorySession) {
  await session.declare(Q);
  await session.publish(Q, bytes('token'));
}

/** One session each with one consumer, attached in this order; the log is empty afterwards. */
async function contenders(...names: string[]) {
  const sessions = names.map(() => broker.connect());
  const [first] = sessions;
  if (first === undefined) throw new Error('no names');
  await lockWithToken(first);
  const all = [];
  for (const [index, session] of sessions.entries()) {
    all.push({ session, ...attach(session, names[index] ?? '') });
    await settle();
  }
  log = [];
  return all as [(typeof all)[0], (typeof all)[0], ...typeof all];
}

function changesOf(session: MemorySession) {
  const changes: SessionStateChange[] = [];
  session.onStateChange((change) => changes.push(change));
  return changes;
}

describe('the line of a queue', () => {
  it('delivers only to the first consumer attached, and to the others in order of arrival as channels close', async () => {
    const all = await contenders('a', 'b', 'c');
    expect(all.map(({ deliveries }) => deliveries.length)).toEqual([1, 0, 0]);
    all[0].channel.close();
    await settle();
    expect(told()).toEqual(['a closed by channel', 'b got token+2']);
    log = [];
    all[1].channel.close();
    await settle();
    expect(told()).toEqual(['b closed by channel', 'c got token+4']);
  });

  it.each([
    { version: [3, 10, 8] as const, count: 1 },
    { version: [4, 0, 5] as const, count: 1 },
    { version: [4, 3, 0] as const, count: 2 },
    { version: [5, 0, 0] as const, count: 2 },
  ])('counts $count for a channel close and 1 for a nack on $version', async ({ version, count }) => {
    broker = new MemoryBroker({ clock, version });
    const [a, b] = await contenders('a', 'b');
    a.channel.requeue(a.tag());
    await settle();
    a.channel.close();
    await settle();
    expect(a.deliveries.map(show)).toEqual(['token+0', 'token+1']);
    expect(b.deliveries.map(show)).toEqual([`token+${1 + count}`]);
  });

  it('hands a requeued message straight back to the same consumer, with a new tag and strays still behind it', async () => {
    const [a, b] = await contenders('a', 'b');
    broker.publishRaw(Q, bytes('stray'), { returns: 7 });
    for (let round = 0; round < 3; round++) {
      a.channel.requeue(a.tag());
      await settle();
    }
    expect(a.deliveries.map(show)).toEqual(['token+0', 'token+1', 'token+2', 'token+3']);
    expect(new Set(a.deliveries.map(({ deliveryTag }) => deliveryTag)).size).toBe(4);
    expect(b.deliveries).toEqual([]);
  });

  it('never lets a stray overtake the token, through close and disconnect; an ack makes it the next', async () => {
    const [a, b, c] = await contenders('a', 'b', 'c');
    broker.publishRaw(Q, bytes('stray'), { returns: 7 });
    a.channel.close();
    await settle();
    b.session.disconnect();
    await settle();
    expect(c?.deliveries.map(show)).toEqual(['token+4']);
    c?.channel.ack(c.tag());
    await settle();
    expect(c?.deliveries.map(show)).toEqual(['token+4', 'stray+7']);
  });

  it('counts what is ready and only the active consumer', async () => {
    const session = broker.connect();
    expect(await session.look(Q)).toBe('absent');
    expect(await session.declare(Q)).toEqual({ ready: 0, consumers: 0 });
    await session.publish(Q, bytes('token'));
    expect(await session.declare(Q)).toEqual({ ready: 1, consumers: 0 });
    for (const name of ['a', 'b', 'c']) attach(session, name);
    broker.publishRaw(Q, bytes('stray'));
    await settle();
    expect(await session.look(Q)).toEqual({ ready: 1, consumers: 1 });
  });

  it('lets a waiter leave without touching the token', async () => {
    const [a, b, c] = await contenders('a', 'b', 'c');
    b.channel.close();
    await settle();
    a.channel.close();
    await settle();
    expect(b.deliveries).toEqual([]);
    expect(c?.deliveries.map(show)).toEqual(['token+2']);
  });

  it('returns what a whole connection held before it serves anybody, so the token does not hop through dying channels', async () => {
    const [a, b] = await contenders('a', 'b');
    b.channel.close();
    const second = attach(a.session, 'a2');
    await settle();
    const other = attach(b.session, 'b2');
    await settle();
    a.session.disconnect();
    await settle();
    expect(second.deliveries).toEqual([]);
    expect(other.deliveries.map(show)).toEqual(['token+2']);
  });

  it('gives every receiver a body of its own', async () => {
    const [a, b] = await contenders('a', 'b');
    a.deliveries[0]?.body.fill(0);
    a.channel.close();
    await settle();
    expect(b.deliveries.map(show)).toEqual(['token+2']);
  });
});

describe('expiration', () => {
  it('drops a ready message behind a held token when its time has come', async () => {
    const [a] = await contenders('a');
    await a.session.publish(Q, bytes('probe'), { expirationMs: 2_000 });
    await clock.advance(1_999);
    expect(await a.session.look(Q)).toEqual({ ready: 1, consumers: 1 });
    await clock.advance(1);
    expect(await a.session.look(Q)).toEqual({ ready: 0, consumers: 1 });
  });

  it('never delivers an expired message, and keeps one that is behind a message that stays', async () => {
    const [a] = await contenders('a');
    broker.publishRaw(Q, bytes('stray'));
    broker.publishRaw(Q, bytes('probe'), { expirationMs: 2_000 });
    await clock.advance(5_000);
    expect(await a.session.look(Q)).toEqual({ ready: 2, consumers: 1 });
    a.channel.ack(a.tag());
    await settle();
    a.channel.ack(a.tag());
    await settle();
    expect(a.deliveries.map(show)).toEqual(['token+0', 'stray+0']);
    expect(await a.session.look(Q)).toEqual({ ready: 0, consumers: 1 });
  });
});

describe('a channel', () => {
  it('calls nothing back from within a call of the client', async () => {
    const [a, b] = await contenders('a', 'b');
    const changes = changesOf(a.session);
    attach(a.session, 'new');
    a.channel.requeue(a.tag());
    a.channel.close();
    b.session.disconnect();
    broker.takeBack(Q);
    a.session.freeze();
    a.session.thaw();
    broker.deleteQueue(Q);
    broker.restart();
    const closing = a.session.close(100);
    expect(log).toEqual([]);
    expect(changes).toEqual([]);
    await closing;
  });

  it('is closed with absent when it consumes from a queue that is not there', async () => {
    const a = attach(broker.connect(), 'a', 'nowhere');
    await settle();
    expect(a.ends).toMatchObject([
      { scope: 'channel', absent: true, error: expect.any(BrokerUnreachableError) },
    ]);
  });

  it('answers a barrier after every delivery that was due before it', async () => {
    const session = broker.connect();
    await lockWithToken(session);
    const a = attach(session, 'a');
    const b = attach(session, 'b');
    void a.channel.barrier().then((depth) => log.push(`a barrier ${JSON.stringify(depth)}`));
    void b.channel.barrier().then(() => log.push('b barrier'));
    await settle();
    expect(log).toEqual([
      'a consuming',
      'a got token+0',
      'b consuming',
      'a barrier {"ready":0,"consumers":1}',
      'b barrier',
    ]);
  });

  it('resolves a barrier with undefined when the channel ends first, and afterwards', async () => {
    const [a] = await contenders('a');
    const barrier = a.channel.barrier();
    a.session.disconnect();
    expect(await barrier).toBeUndefined();
    expect(await a.channel.barrier()).toBeUndefined();
  });

  it('closes on a barrier when its queue has gone, as on any 404', async () => {
    const [a] = await contenders('a');
    broker.deleteQueue(Q);
    expect(await a.channel.barrier()).toBeUndefined();
    expect(log).toEqual(['a cancelled', 'a closed by channel with error']);
  });

  it('hears nothing between its close and the answer, and does nothing after it', async () => {
    const [a, b] = await contenders('a', 'b');
    a.channel.requeue(a.tag());
    a.channel.close();
    a.channel.close();
    a.channel.requeue(a.tag());
    await settle();
    a.channel.ack(1);
    await settle();
    expect(told()).toEqual(['a closed by channel', 'b got token+3']);
    expect(b.deliveries).toHaveLength(1);
  });

  it('is closed with an error when it settles a delivery twice', async () => {
    const [a, b] = await contenders('a', 'b');
    a.channel.requeue(a.tag());
    a.channel.requeue(a.tag());
    await settle();
    expect(told()).toEqual(['a got token+1', 'a closed by channel with error', 'b got token+3']);
    expect(b.deliveries).toHaveLength(1);
  });

  it('opens nothing when it is closed before there is a connection', async () => {
    const session = broker.connect();
    await lockWithToken(session);
    session.disconnect({ reconnectAfterMs: Number.POSITIVE_INFINITY });
    await settle();
    const a = attach(session, 'a');
    a.channel.close();
    session.reconnect();
    await settle();
    expect(log).toEqual(['a closed by channel']);
    expect(broker.line(Q)).toEqual([]);
  });
});

describe('a queue that goes away', () => {
  it.each(['remove', 'deleteQueue'] as const)(
    'cancels every consumer and drops everything on %s',
    async (how) => {
      const [a, b] = await contenders('a', 'b');
      if (how === 'remove') await b.session.remove(Q);
      else broker.deleteQueue(Q);
      await settle();
      expect(log).toEqual(['a cancelled', 'b cancelled']);
      expect(await a.session.look(Q)).toBe('absent');
      a.channel.requeue(a.tag());
      a.channel.close();
      await settle();
      expect(log.slice(2)).toEqual(['a closed by channel']);
      expect(await a.session.declare(Q)).toEqual({ ready: 0, consumers: 0 });
    },
  );

  it('counts as removed when it was never there, and refuses a publish with a retryable error', async () => {
    const session = broker.connect();
    await session.remove('nowhere');
    await expect(session.publish('nowhere', bytes('token'))).rejects.toMatchObject({
      code: 'broker-unreachable',
      retryable: true,
    });
  });

  it('with other arguments refuses to be declared', async () => {
    broker.declareForeign(Q);
    await expect(broker.connect().declare(Q)).rejects.toBeInstanceOf(QueueMismatchError);
  });

  it('keeps a held token through a purge, and loses a ready one', async () => {
    const [a, b] = await contenders('a', 'b');
    broker.publishRaw(Q, bytes('stray'));
    broker.purge(Q);
    a.channel.close();
    await settle();
    expect(b.deliveries.map(show)).toEqual(['token+2']);
    b.channel.close();
    await settle();
    broker.purge(Q);
    expect(await b.session.look(Q)).toEqual({ ready: 0, consumers: 0 });
  });
});

describe('a token taken from its holder', () => {
  it('goes to the next waiter without a word to the holder, who is last in line and settles in vain', async () => {
    const [a, b] = await contenders('a', 'b');
    expect(broker.takeBack(Q)).toBe(true);
    a.channel.requeue(a.tag());
    await settle();
    expect(log).toEqual(['b got token+2']);
    b.channel.close();
    await settle();
    expect(told()).toEqual(['a got token+4', 'b got token+2', 'b closed by channel']);
  });

  it('comes back to the holder with a bigger step when nobody else waits', async () => {
    const [a] = await contenders('a');
    broker.takeBack(Q);
    await settle();
    expect(a.deliveries.map(show)).toEqual(['token+0', 'token+2']);
    a.channel.requeue(a.tag());
    await settle();
    expect(broker.line(Q)).toEqual([{ consumerTag: 'a', heldReturns: 3 }]);
  });

  it('says so when the broker closes its channel or cancels its consumer', async () => {
    await contenders('a', 'b', 'c');
    expect(broker.closeChannel(Q)).toBe(true);
    await settle();
    expect(told()).toEqual(['a closed by channel with error', 'b got token+2']);
    log = [];
    expect(broker.cancelConsumer(Q)).toBe(true);
    await settle();
    expect(told()).toEqual(['b cancelled', 'c got token+4']);
  });
});

describe('a broken connection', () => {
  it('ends every channel and call with its error, hands the token over, and is made again at once', async () => {
    const [a, b] = await contenders('a', 'b');
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
    const session = broker.connect();
    await lockWithToken(session);
    session.disconnect({ reconnectAfterMs: 500 });
    await settle();
    expect(session.state).toBe('reconnecting');
    attach(session, 'a');
    void session.publish(Q, bytes('stray')).then(() => log.push('published'));
    void session.look(Q).then((depth) => log.push(JSON.stringify(depth)));
    await clock.advance(499);
    expect(log).toEqual([]);
    await clock.advance(1);
    expect(log).toEqual(['a consuming', 'a got token+0', 'published', '{"ready":1,"consumers":1}']);
  });

  it('stays broken with Infinity until reconnect is called, also when that is called right away', async () => {
    const session = broker.connect();
    session.disconnect({ reconnectAfterMs: Number.POSITIVE_INFINITY });
    await clock.advance(1_000_000);
    expect(session.state).toBe('reconnecting');
    session.reconnect();
    await settle();
    expect(session.state).toBe('open');
    session.disconnect({ reconnectAfterMs: Number.POSITIVE_INFINITY });
    session.reconnect();
    await settle();
    expect(session.state).toBe('open');
  });

  it('is made again at once after a restart, whatever an earlier disconnect asked for', async () => {
    const session = broker.connect();
    session.disconnect({ reconnectAfterMs: 500 });
    await settle();
    await clock.advance(500);
    broker.restart();
    await settle();
    expect(session.state).toBe('open');
  });

  it('comes to all sessions in a restart, which keeps queues and messages and counts one return', async () => {
    const [a, b] = await contenders('a', 'b');
    const changes = changesOf(b.session);
    broker.restart();
    await settle();
    expect(log).toEqual(['a closed by connection with error', 'b closed by connection with error']);
    expect(changes.map(({ to }) => to)).toEqual(['reconnecting', 'open']);
    const again = attach(a.session, 'again');
    await settle();
    expect(again.deliveries.map(show)).toEqual(['token+2']);
  });
});

describe('a slow or frozen line', () => {
  it('takes the delay each way and stays in order when the delay shrinks', async () => {
    const session = broker.connect();
    await lockWithToken(session);
    session.delay(100);
    attach(session, 'a');
    session.delay(10);
    void session.look(Q).then(() => log.push('looked'));
    await clock.advance(99);
    expect(broker.line(Q)).toEqual([]);
    await clock.advance(1);
    expect(broker.line(Q)).toEqual([{ consumerTag: 'a', heldReturns: 0 }]);
    expect(log).toEqual([]);
    await clock.advance(10);
    expect(log).toEqual(['a consuming', 'a got token+0', 'looked']);
  });

  it('leaves calls unanswered while frozen and lets everything flow in order when thawed', async () => {
    const [a, b] = await contenders('a', 'b');
    a.session.freeze();
    a.channel.requeue(a.tag());
    void a.session.look(Q).then(() => log.push('looked'));
    a.channel.close();
    await clock.advance(60_000);
    expect(log).toEqual([]);
    expect(a.session.state).toBe('open');
    a.session.thaw();
    await settle();
    expect(log.filter((entry) => !entry.startsWith('b'))).toEqual(['looked', 'a closed by channel']);
    expect(b.deliveries.map(show)).toEqual(['token+3']);
    expect(b.deliveries).toHaveLength(1);
  });

  it('hands over when the broker drops a frozen session, which learns it last, after its old deliveries', async () => {
    const [a, b] = await contenders('a', 'b');
    b.session.freeze();
    a.channel.close();
    await settle();
    const c = attach(a.session, 'c');
    await settle();
    b.session.dropFrozen();
    const late = b.session.publish(Q, bytes('late'));
    await settle();
    expect(c.deliveries.map(show)).toEqual(['token+4']);
    expect(b.deliveries).toEqual([]);
    log = [];
    b.session.thaw();
    await expect(late).rejects.toMatchObject({ retryable: true });
    await settle();
    expect(log).toEqual(['b got token+2', 'b closed by connection with error']);
    expect(b.session.state).toBe('open');
    expect(await b.session.look(Q)).toEqual({ ready: 0, consumers: 1 });
  });

  it('cannot be dropped when it is not frozen, and does not reconnect before it is thawed', async () => {
    const session = broker.connect();
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
    const [a, b] = await contenders('a', 'b');
    const changes = changesOf(a.session);
    broker.alarm(true);
    for (const text of ['one', 'two']) {
      void a.session.publish(Q, bytes(text)).then(() => log.push(`published ${text}`));
    }
    await settle();
    expect([a.session.state, b.session.state]).toEqual(['blocked', 'open']);
    a.channel.requeue(a.tag());
    await settle();
    a.channel.close();
    expect(await a.session.look(Q)).toEqual({ ready: 0, consumers: 1 });
    expect(told()).toEqual(['a got token+1', 'a closed by channel', 'b got token+3']);
    broker.alarm(false);
    await settle();
    expect(log.slice(3)).toEqual(['published one', 'published two']);
    expect(changes.map(({ to }) => to)).toEqual(['blocked', 'open']);
    expect(await b.session.look(Q)).toEqual({ ready: 2, consumers: 1 });
  });

  it('loses what a session had waiting when its connection breaks', async () => {
    const session = broker.connect();
    await lockWithToken(session);
    broker.alarm(true);
    const publish = session.publish(Q, bytes('stray'));
    await settle();
    session.disconnect();
    await expect(publish).rejects.toBeInstanceOf(BrokerUnreachableError);
    broker.alarm(false);
    expect(await session.look(Q)).toEqual({ ready: 1, consumers: 0 });
  });
});

describe('closing a session', () => {
  it('ends channels without an error, hands the token over, refuses calls, and leaves no timer', async () => {
    const [a, b] = await contenders('a', 'b');
    const changes = changesOf(a.session);
    const pending = a.session.look(Q);
    a.channel.requeue(a.tag());
    const closing = a.session.close(1_000);
    expect(a.session.close(1_000)).toBe(closing);
    await expect(pending).rejects.toBeInstanceOf(ClosedError);
    await expect(a.session.declare(Q)).rejects.toBeInstanceOf(ClosedError);
    await closing;
    const late = attach(a.session, 'late');
    await settle();
    expect(told()).toEqual([
      'a closed by connection',
      'b got token+3',
      'late closed by connection with error',
    ]);
    expect(late.ends[0]?.error).toBeInstanceOf(ClosedError);
    expect(changes).toEqual([{ from: 'open', to: 'closed' }]);
    expect(clock.timers.size).toBe(0);
    expect(b.session.state).toBe('open');
  });

  it('takes no longer than its timeout on a frozen line; the broker learns of it when the line thaws', async () => {
    const [a, b] = await contenders('a', 'b');
    a.session.freeze();
    const closing = a.session.close(1_000);
    await clock.advance(999);
    expect(log).toEqual([]);
    await clock.advance(1);
    await closing;
    expect(log).toEqual(['a closed by connection']);
    a.session.thaw();
    await settle();
    expect(b.deliveries.map(show)).toEqual(['token+2']);
    expect(a.session.state).toBe('closed');
  });

  it('works without a connection, and ends what waited for one', async () => {
    const session = broker.connect();
    session.disconnect({ reconnectAfterMs: 500 });
    await settle();
    const a = attach(session, 'a');
    const look = session.look(Q);
    const closing = session.close(1_000);
    await expect(look).rejects.toBeInstanceOf(ClosedError);
    await closing;
    expect(a.ends).toMatchObject([{ scope: 'connection' }]);
    expect(a.ends[0]?.error).toBeUndefined();
    expect(clock.timers.size).toBe(0);
  });
});
