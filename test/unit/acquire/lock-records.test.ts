import { describe, expect, test } from 'vitest';
import { asBatonError, LockRecords } from '../../../src/acquire/lock-records.ts';
import { BrokerUnreachableError, QueueMismatchError } from '../../../src/errors.ts';
import { MemoryBroker } from '../../../src/memory/broker.ts';
import { parseConnectOptions } from '../../../src/options.ts';
import { INT64_MAX } from '../../../src/protocol/fence.ts';
import type { LockBroker } from '../../../src/protocol/port.ts';
import { decodeMessage } from '../../../src/protocol/token.ts';
import { ManualClock } from '../../../src/testing/manual-clock.ts';

const IDLE_NAMES = 10_000;

/** A ledger on a broker that answers when it is told to, and that notes what it was asked. */
function setUp() {
  const clock = new ManualClock();
  const asked: string[] = [];
  const published: Uint8Array[] = [];
  const pending: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  const answer = <T>(what: string, value: T) => {
    asked.push(what);
    return new Promise<T>((resolve, reject) => {
      pending.push({ resolve: () => resolve(value), reject });
    });
  };
  const broker: LockBroker = {
    look: () => answer('look', { ready: 1, consumers: 0 }),
    declare: () => answer('declare', { ready: 0, consumers: 0 }),
    purge: () => answer('purge', undefined),
    publish: (_queue, body) => {
      published.push(body);
      return answer('publish', undefined);
    },
    consume: () => expect.fail('a ledger consumes nothing'),
  };
  const ledger = new LockRecords({
    settings: parseConnectOptions({ namespace: 'team' }),
    broker,
    clock,
    identity: { service: 'svc', host: 'host', pid: 7 },
    random: () => 0.5,
  });
  return { clock, asked, published, pending, ledger };
}

describe('the idle expiry of a name', () => {
  test('is refused while the name is in use here with another one, and compared by the broker later', () => {
    const { ledger } = setUp();
    const record = ledger.enter('jobs', 60_000);
    record.hear({ type: 'queue-known', known: true });
    expect(() => ledger.enter('jobs')).toThrow(QueueMismatchError);
    expect(ledger.enter('jobs', 60_000)).toBe(record);
    for (const _ of [1, 2]) ledger.leave(record);
    expect(record.known.known).toBe(true);
    expect(ledger.enter('jobs')).toBe(record);
    expect(record.known.known).toBe(false);
  });
});

describe('the highest fence of a name', () => {
  test('is kept whatever is seen afterwards, and begins at 0', () => {
    const record = setUp().ledger.enter('jobs');
    expect(record.known.highestSeen).toBe(0n);
    for (const fence of [5n, 9n, 3n, 9n]) record.hear({ type: 'fence-seen', fence: fence });
    expect(record.known.highestSeen).toBe(9n);
  });

  test('outlives the contenders that saw it, and belongs to its name alone', () => {
    const { ledger } = setUp();
    const first = ledger.enter('jobs');
    first.hear({ type: 'fence-seen', fence: 9n });
    ledger.leave(first);
    expect(ledger.enter('jobs').known.highestSeen).toBe(9n);
    expect(ledger.enter('other').known.highestSeen).toBe(0n);
  });

  test('is below the base of every token that is made afterwards, also when the clock is behind', async () => {
    const { ledger, published, pending, clock } = setUp();
    const record = ledger.enter('jobs');
    const high = BigInt(clock.now().wall + 86_400_000) << 20n;
    record.hear({ type: 'fence-seen', fence: high });
    const seeding = record.seed();
    pending[0]?.resolve();
    await seeding;
    expect(decodeMessage(published[0] ?? new Uint8Array(), 0, 'jobs')).toMatchObject({
      kind: 'token',
      fence: high + 1n,
      token: { name: 'jobs', by: 'svc@host/7', at: clock.now().wall },
    });
  });

  test('at the end of int64 leaves no higher one, and the error says so and what to do', async () => {
    const { ledger, asked } = setUp();
    const record = ledger.enter('jobs');
    record.hear({ type: 'fence-seen', fence: INT64_MAX });
    const error = await record.seed().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(QueueMismatchError);
    expect(error).toMatchObject({
      message: `no fence is left for lock "jobs": its token or its register (queue baton.team.state.jobs) had one at the end of int64, ${INT64_MAX}; nothing was changed. Delete the queue that has it, and start this process again, or use another name`,
      cause: expect.any(RangeError),
    });
    await expect(record.shared('seed')).rejects.toBeInstanceOf(QueueMismatchError);
    expect(asked).toEqual([]);
  });

  test('is found out before anything is destroyed: a purge is refused like the seed behind it', async () => {
    const { ledger, asked } = setUp();
    const record = ledger.enter('jobs');
    record.hear({ type: 'fence-seen', fence: INT64_MAX });
    await expect(record.purge()).rejects.toThrow(/no fence is left.*baton\.team\.state\.jobs/);
    expect(asked).toEqual([]);
  });
});

describe('a shared call', () => {
  test.each([
    ['look', 'look'],
    ['declare', 'declare'],
    ['seed', 'publish'],
  ] as const)(
    '%s is asked once for all who ask while it is under way, and again afterwards',
    async (call, asks) => {
      const { ledger, asked, pending } = setUp();
      const record = ledger.enter('jobs');
      const all = Array.from({ length: 1_000 }, () => record.shared(call));
      expect(asked).toEqual([asks]);
      pending[0]?.resolve();
      expect(new Set(await Promise.all(all)).size).toBe(1);
      void record.shared(call);
      expect(asked).toEqual([asks, asks]);
    },
  );

  test('that fails fails for all who asked, and the next one asks anew', async () => {
    const { ledger, asked, pending } = setUp();
    const record = ledger.enter('jobs');
    const both = [record.shared('declare'), record.shared('declare')];
    const error = new BrokerUnreachableError('gone');
    pending[0]?.reject(error);
    for (const call of both) await expect(call).rejects.toBe(error);
    void record.shared('declare');
    expect(asked).toEqual(['declare', 'declare']);
  });

  test('is shared with nobody who asks something else, or of another name', () => {
    const { ledger, asked } = setUp();
    const [jobs, other] = [ledger.enter('jobs'), ledger.enter('other')];
    void jobs.shared('look');
    void jobs.shared('declare');
    void other.shared('look');
    void jobs.look();
    expect(asked).toEqual(['look', 'declare', 'look', 'look']);
  });
});

describe('the names that a ledger remembers', () => {
  const use = (ledger: LockRecords, name: string) => ledger.leave(ledger.enter(name));
  const fill = (ledger: LockRecords, from: number, count: number) => {
    for (let i = from; i < from + count; i += 1) use(ledger, `name ${i}`);
  };
  const mark = (ledger: LockRecords, name: string) => {
    const record = ledger.enter(name);
    record.hear({ type: 'fence-seen', fence: 7n });
    return record;
  };
  const isKept = (ledger: LockRecords, name: string) => ledger.enter(name).known.highestSeen === 7n;

  test('are 10,000 when nobody uses them: with one more the longest unused is forgotten', () => {
    const kept = setUp().ledger;
    kept.leave(mark(kept, 'mine'));
    fill(kept, 0, IDLE_NAMES - 1);
    expect(isKept(kept, 'mine')).toBe(true);

    const forgotten = setUp().ledger;
    forgotten.leave(mark(forgotten, 'mine'));
    fill(forgotten, 0, IDLE_NAMES);
    expect(isKept(forgotten, 'mine')).toBe(false);
  });

  test('are kept longer when they are used again: the longest unused goes, not the oldest', () => {
    const { ledger } = setUp();
    ledger.leave(mark(ledger, 'mine'));
    fill(ledger, 0, IDLE_NAMES - 1);
    use(ledger, 'mine');
    fill(ledger, IDLE_NAMES, IDLE_NAMES - 1);
    expect(isKept(ledger, 'mine')).toBe(true);
  });

  test('never lose one that is in use, however many come after it', () => {
    const { ledger } = setUp();
    const record = mark(ledger, 'mine');
    fill(ledger, 0, 2 * IDLE_NAMES);
    expect(ledger.enter('mine')).toBe(record);
  });

  test('count one in use by two until both have left', () => {
    const { ledger } = setUp();
    const first = mark(ledger, 'mine');
    const second = ledger.enter('mine');
    expect(second).toBe(first);
    ledger.leave(first);
    fill(ledger, 0, 2 * IDLE_NAMES);
    expect(ledger.enter('mine')).toBe(second);
  });

  test('are all forgotten when the ledger is disposed of, and nothing is asked any more', async () => {
    const { ledger, clock, asked } = setUp();
    const record = mark(ledger, 'mine');
    record.hear({ type: 'joined' });
    ledger.dispose();
    await clock.advance(60_000);
    expect(asked).toEqual([]);
    expect(isKept(ledger, 'mine')).toBe(false);
  });
});

describe('a name that somebody waits for', () => {
  test('is looked at now and then, and probed when nothing was ready for healAfterMs', async () => {
    const clock = new ManualClock();
    const session = new MemoryBroker({ clock }).connect();
    const settings = parseConnectOptions({ healAfterMs: 1_000 });
    const identity = { service: 'svc', host: 'host', pid: 7 };
    const ledger = new LockRecords({ settings, broker: session, clock, identity, random: () => 0.5 });
    const record = ledger.enter('jobs');
    await record.declare();
    record.hear({ type: 'joined' });
    await clock.advance(1_200);
    expect(await session.look(record.queue)).toEqual({ ready: 0, consumers: 0 });
    await clock.advance(100);
    expect(await session.look(record.queue)).toEqual({ ready: 1, consumers: 0 });
    record.hear({ type: 'left' });
    ledger.dispose();
  });

  test('is looked at by nobody once they have left, and a look that fails is no unhandled rejection', async () => {
    const { ledger, clock, asked, pending } = setUp();
    const record = ledger.enter('jobs');
    record.hear({ type: 'joined' });
    await clock.advance(8_000);
    expect(asked).toEqual(['look']);
    pending[0]?.reject(new BrokerUnreachableError('gone'));
    record.hear({ type: 'left' });
    await clock.advance(60_000);
    expect(asked).toEqual(['look']);
  });
});

test('an error that is not batonmq’s own is a bug, and is thrown on instead of being taken for an answer', () => {
  const own = new BrokerUnreachableError('gone');
  expect(asBatonError(own)).toBe(own);
  const bug = new TypeError('x is not a function');
  expect(() => asBatonError(bug)).toThrow(bug);
});
