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

/** Records on a broker that answers when it is told to, and that notes what it was asked. */
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
    consume: () => expect.fail('records consume nothing'),
  };
  const records = new LockRecords({
    settings: parseConnectOptions({ namespace: 'team' }),
    broker,
    clock,
    identity: { service: 'svc', host: 'host', pid: 7 },
    random: () => 0.5,
  });
  return { clock, asked, published, pending, records };
}

describe('the idle expiry of a name', () => {
  test('is refused while the name is in use here with another one, and compared by the broker later', () => {
    const { records } = setUp();
    const record = records.enter('jobs', 60_000);
    record.hear({ type: 'queue-known', known: true });
    expect(() => records.enter('jobs')).toThrow(QueueMismatchError);
    expect(records.enter('jobs', 60_000)).toBe(record);
    for (const _ of [1, 2]) records.leave(record);
    expect(record.known.known).toBe(true);
    expect(records.enter('jobs')).toBe(record);
    expect(record.known.known).toBe(false);
  });
});

describe('the highest fence of a name', () => {
  test('is kept whatever is seen afterwards, and begins at 0', () => {
    const record = setUp().records.enter('jobs');
    expect(record.known.highestSeen).toBe(0n);
    for (const fence of [5n, 9n, 3n, 9n]) record.hear({ type: 'fence-seen', fence: fence });
    expect(record.known.highestSeen).toBe(9n);
  });

  test('outlives the contenders that saw it, and belongs to its name alone', () => {
    const { records } = setUp();
    const first = records.enter('jobs');
    first.hear({ type: 'fence-seen', fence: 9n });
    records.leave(first);
    expect(records.enter('jobs').known.highestSeen).toBe(9n);
    expect(records.enter('other').known.highestSeen).toBe(0n);
  });

  test('is below the base of every token that is made afterwards, also when the clock is behind', async () => {
    const { records, published, pending, clock } = setUp();
    const record = records.enter('jobs');
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
    const { records, asked } = setUp();
    const record = records.enter('jobs');
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
    const { records, asked } = setUp();
    const record = records.enter('jobs');
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
      const { records, asked, pending } = setUp();
      const record = records.enter('jobs');
      const all = Array.from({ length: 1_000 }, () => record.shared(call));
      expect(asked).toEqual([asks]);
      pending[0]?.resolve();
      expect(new Set(await Promise.all(all)).size).toBe(1);
      void record.shared(call);
      expect(asked).toEqual([asks, asks]);
    },
  );

  test('that fails fails for all who asked, and the next one asks again', async () => {
    const { records, asked, pending } = setUp();
    const record = records.enter('jobs');
    const both = [record.shared('declare'), record.shared('declare')];
    const error = new BrokerUnreachableError('gone');
    pending[0]?.reject(error);
    for (const call of both) await expect(call).rejects.toBe(error);
    void record.shared('declare');
    expect(asked).toEqual(['declare', 'declare']);
  });

  test('is shared with nobody who asks something else, or of another name', () => {
    const { records, asked } = setUp();
    const [jobs, other] = [records.enter('jobs'), records.enter('other')];
    void jobs.shared('look');
    void jobs.shared('declare');
    void other.shared('look');
    void jobs.look();
    expect(asked).toEqual(['look', 'declare', 'look', 'look']);
  });
});

describe('the names that the records remember', () => {
  const use = (records: LockRecords, name: string) => records.leave(records.enter(name));
  const fill = (records: LockRecords, from: number, count: number) => {
    for (let i = from; i < from + count; i += 1) use(records, `name ${i}`);
  };
  const mark = (records: LockRecords, name: string) => {
    const record = records.enter(name);
    record.hear({ type: 'fence-seen', fence: 7n });
    return record;
  };
  const isKept = (records: LockRecords, name: string) => records.enter(name).known.highestSeen === 7n;

  test('are 10,000 when nobody uses them: with one more the longest unused is forgotten', () => {
    const kept = setUp().records;
    kept.leave(mark(kept, 'mine'));
    fill(kept, 0, IDLE_NAMES - 1);
    expect(isKept(kept, 'mine')).toBe(true);

    const forgotten = setUp().records;
    forgotten.leave(mark(forgotten, 'mine'));
    fill(forgotten, 0, IDLE_NAMES);
    expect(isKept(forgotten, 'mine')).toBe(false);
  });

  test('are kept longer when they are used again: the longest unused goes, not the oldest', () => {
    const { records } = setUp();
    records.leave(mark(records, 'mine'));
    fill(records, 0, IDLE_NAMES - 1);
    use(records, 'mine');
    fill(records, IDLE_NAMES, IDLE_NAMES - 1);
    expect(isKept(records, 'mine')).toBe(true);
  });

  test('never lose one that is in use, however many come after it', () => {
    const { records } = setUp();
    const record = mark(records, 'mine');
    fill(records, 0, 2 * IDLE_NAMES);
    expect(records.enter('mine')).toBe(record);
  });

  test('count one in use by two until both have left', () => {
    const { records } = setUp();
    const first = mark(records, 'mine');
    const second = records.enter('mine');
    expect(second).toBe(first);
    records.leave(first);
    fill(records, 0, 2 * IDLE_NAMES);
    expect(records.enter('mine')).toBe(second);
  });

  test('are all forgotten when the records are disposed of, and nothing is asked any more', async () => {
    const { records, clock, asked } = setUp();
    const record = mark(records, 'mine');
    record.hear({ type: 'joined' });
    records.dispose();
    await clock.advance(60_000);
    expect(asked).toEqual([]);
    expect(isKept(records, 'mine')).toBe(false);
  });
});

describe('a name that somebody waits for', () => {
  test('is looked at now and then, and probed when nothing was ready for healAfterMs', async () => {
    const clock = new ManualClock();
    const session = new MemoryBroker({ clock }).connect();
    const settings = parseConnectOptions({ healAfterMs: 1_000 });
    const identity = { service: 'svc', host: 'host', pid: 7 };
    const records = new LockRecords({ settings, broker: session, clock, identity, random: () => 0.5 });
    const record = records.enter('jobs');
    await record.declare();
    record.hear({ type: 'joined' });
    await clock.advance(1_200);
    expect(await session.look(record.queue)).toEqual({ ready: 0, consumers: 0 });
    await clock.advance(100);
    expect(await session.look(record.queue)).toEqual({ ready: 1, consumers: 0 });
    record.hear({ type: 'left' });
    records.dispose();
  });

  test('is looked at by nobody once they have left, and a look that fails is no unhandled rejection', async () => {
    const { records, clock, asked, pending } = setUp();
    const record = records.enter('jobs');
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
