import { beforeEach, expect, test, vi } from 'vitest';
import { MemoryBroker } from '../../src/broker/memory.ts';
import type { ConsumerListener, Delivery } from '../../src/broker/port.ts';
import { Coordinator } from '../../src/coordinator.ts';
import { parseConnectOptions } from '../../src/options.ts';
import { ManualClock } from '../../src/testing/index.ts';
import { watch } from './in-memory.ts';

let clock: ManualClock;

beforeEach(() => {
  clock = new ManualClock();
});

test('a message at which this client throws is tried a few times with rests between, and then told', async () => {
  const session = new MemoryBroker({ clock }).connect();
  const baton = new Coordinator(session, parseConnectOptions({}), clock);
  const bug = new RangeError('Maximum call stack size exceeded');
  const consume = session.consume.bind(session);
  const attempts: number[] = [];
  vi.spyOn(session, 'consume').mockImplementation((queue, tag, listener) => {
    const unreadable: ConsumerListener = {
      consuming: (traits) => listener.consuming(traits),
      cancelled: () => listener.cancelled(),
      closed: (end) => listener.closed(end),
      delivered: (delivery) => {
        attempts.push(clock.now().mono);
        const body = {
          ...delivery,
          get body(): never {
            throw bug;
          },
        } as Delivery;
        // As src/broker/consumer.ts does.
        try {
          listener.delivered(body);
        } catch {
          channel.close();
        }
      },
    };
    const channel = consume(queue, tag, unreadable);
    return channel;
  });
  const outcome = watch(baton.lock('jobs').acquire());
  await clock.advance(5_000);
  expect(outcome.error).toMatchObject({ code: 'queue-mismatch', cause: bug });
  expect(String(outcome.error)).toMatch(/could not be dealt with, see the cause; it was given back 4 times/);
  expect(attempts).toHaveLength(4);
  for (const [index, at] of attempts.entries())
    expect(at - (attempts[index - 1] ?? -100)).toBeGreaterThanOrEqual(100);
  const closing = baton.close({ drainMs: 0 });
  await clock.advance(2_000);
  await closing;
});
