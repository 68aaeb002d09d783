import { expect, test } from 'vitest';
import type { HoldNotice } from '../../src/protocol/port.ts';
import { sharedBroker } from '../support/broker/index.ts';
import { changed, open, proxied, queueName, until } from './session/fixtures.ts';

const notice = (queue: string): HoldNotice => ({
  queue,
  consumerTag: 'billing@web-1/4711/01b8dac5b47b3d4e5f/x',
  fence: 1_985_432_518_656_000_007n,
  since: 1_893_456_000_123,
});

/** What the broker shows of consumers that tell of this queue. */
async function shownFor(queue: string): Promise<string[]> {
  const { control } = sharedBroker();
  if (control === undefined) throw new Error('this test asks the broker itself: unset BATON_URL');
  const rows = await control.ctl('list_consumers', 'queue_name', 'consumer_tag', 'arguments');
  return rows.split('\n').filter((row) => row.includes(queue));
}

/** Waits for the one row. It is that of the listing which had it: the tool can leave rows out while other queues come and go. */
async function rowFor(queue: string, but?: string): Promise<string> {
  let row = '';
  await until(async () => {
    const rows = await shownFor(queue);
    expect(rows).toHaveLength(1);
    row = rows[0] ?? '';
    expect(row).not.toBe(but);
  });
  return row;
}

test('a notice shows queue, holder, fence and since when, and goes when it is taken away', async () => {
  const session = await open();
  const queue = queueName();
  const takeAway = session.announce?.(notice(queue));
  const row = await rowFor(queue);
  expect(row).toMatch(/^baton\.default\.notices\./);
  for (const fact of ['billing@web-1/4711/01b8dac5b47b3d4e5f/x', '1985432518656000007', '1893456000123']) {
    expect(row).toContain(fact);
  }
  takeAway?.();
  await until(async () => expect(await shownFor(queue)).toEqual([]));
});

test('one that is taken away before it is up never shows', async () => {
  const session = await open();
  const [gone, stays] = [queueName(), queueName()];
  session.announce?.(notice(gone))();
  session.announce?.(notice(stays));
  await rowFor(stays);
  expect(await shownFor(gone)).toEqual([]);
});

test('notices are put up again on the next service connection', async () => {
  const proxy = await proxied();
  const session = await open(proxy.url);
  const queue = queueName();
  session.announce?.(notice(queue));
  const before = await rowFor(queue);
  proxy.reset();
  await rowFor(queue, before);
});

test('a user who may not make the queue has no notices, and calls go on', async () => {
  const { control } = sharedBroker();
  await control?.addUser('notice-reader', 'secret', { configure: '^$', write: '^$', read: '^baton\\.' });
  const session = await open(changed({ user: 'notice-reader', password: 'secret' }));
  const queue = queueName();
  const takeAway = session.announce?.(notice(queue));
  await until(async () => expect(await session.look(queue)).toBe('absent'));
  expect(await shownFor(queue)).toEqual([]);
  takeAway?.();
  expect(session.state).toBe('open');
});
