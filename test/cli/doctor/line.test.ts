import { describe, expect, test } from 'vitest';
import { lineFindings, stillUnserved, unservedAfterMs, unservedIn } from '../../../src/cli/doctor/line.ts';
import type { LockQueue } from '../../../src/cli/doctor/tokens.ts';
import type { Contestant, Notice } from '../../../src/cli/locks/consumers.ts';

const QUEUE = 'baton.default.lock.x';

describe('of who is in line', () => {
  const HELD: LockQueue = {
    name: QUEUE,
    part: 'lock',
    lock: 'x',
    type: 'quorum',
    singleActiveConsumer: true,
    ready: 0,
    unacknowledged: 1,
    used: true,
    members: 3,
    online: 3,
  };
  const FREE: LockQueue = { ...HELD, ready: 1, unacknowledged: 0, used: false };
  const who = (more: Partial<Contestant> = {}): Contestant => ({
    queue: QUEUE,
    tag: 'tag-1',
    active: true,
    connection: 'a -> b',
    node: 'rabbit@n3',
    claim: undefined,
    priority: undefined,
    ...more,
  });
  const seen = (queue: LockQueue, contestants: Contestant[], notices: Notice[] = []) =>
    unservedIn([queue], { contestants, notices });
  const notice: Notice = { queue: QUEUE, consumer: 'tag-1', fence: '1', since: 0 };
  const judge = (...of: Parameters<typeof seen>) =>
    lineFindings(seen(...of).values(), { vhost: 'v', namespace: 'ns' });

  test('who has the token and does not say so is told, with the command that replaces the member', () => {
    const [finding, ...more] = judge(HELD, [who({ tag: 'tag-2', active: false }), who()]);
    expect(more).toEqual([]);
    expect(finding).toMatchObject({ check: 'line', level: 'warning' });
    expect(finding?.says).toMatch(
      /^lock "x" was handed to tag-1, who has not told .* rabbit@n3 has an old member/,
    );
    const place = `--vhost v ${QUEUE} rabbit@n3`;
    expect(finding?.fix).toBe(
      `rabbitmq-queues delete_member ${place} && rabbitmq-queues add_member ${place}`,
    );
  });

  test('and so is who waits for a lock that is free', () => {
    const [finding] = judge(FREE, [who({ active: false })]);
    expect(finding?.says).toMatch(
      /^lock "x" is free, and tag-1 waits for it in vain: rabbit@n3 has an old member/,
    );
    expect(finding?.fix).toContain('rabbitmq-queues add_member');
  });

  test('on a single node there is no member to replace', () => {
    expect(judge({ ...HELD, members: 1 }, [who()])).toMatchObject([{ level: 'note' }]);
    const [forgotten] = judge({ ...FREE, members: 1 }, [who()]);
    expect([forgotten?.level, forgotten?.fix]).toEqual(['warning', undefined]);
    expect(forgotten?.says).toMatch(/Restart that program$/);
  });

  test.each<[string, LockQueue, Contestant[], Notice[]]>([
    ['a holder who says so', HELD, [who()], [notice]],
    ['a free lock with nobody in line', FREE, [], []],
    ['a consumer that is long gone', HELD, [who({ connection: '' })], []],
    ['one of a free lock that is long gone', FREE, [who({ connection: '' })], []],
    ['a lock whose token was destroyed', { ...HELD, unacknowledged: 0 }, [who()], []],
    ['a register', { ...HELD, part: 'register' }, [who()], []],
  ])('%s is not told', (_, ...of) => {
    expect(judge(...of)).toEqual([]);
  });

  test('only the same one in the same way counts, for longer than a hold is untold and a lock delay takes', () => {
    const before = seen(HELD, [who()]);
    expect(stillUnserved(before, seen(HELD, [who()])).size).toBe(1);
    expect(stillUnserved(before, seen(HELD, [who({ tag: 'tag-2' })])).size).toBe(0);
    expect(stillUnserved(before, seen(FREE, [who()])).size).toBe(0);
    expect(stillUnserved(new Map(), before).size).toBe(0);
    expect(unservedAfterMs({ delays: true, leaseMs: 15_000 })).toBeGreaterThan(15_250 + 6_000);
    expect(unservedAfterMs({ delays: false, leaseMs: 15_000 })).toBeLessThan(15_000);
  });
});
