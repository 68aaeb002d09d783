import { connect as connectAmqp } from 'amqplib';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LockSession } from '../../../src/protocol/port.ts';
import { sharedBroker } from '../../support/broker/index.ts';
import { BROKER, open, Recorder, seeded, until } from '../session/fixtures.ts';

const { version, control } = sharedBroker();
const [major = 0, minor = 0] = version.split('.').map(Number);
const countsApart = major > 4 || (major === 4 && minor >= 3);

/** Takes the token, nacks it once, and so knows its counts: 1 return, and 1 of them a nack. */
async function nackedOnce(session: LockSession, queue: string) {
  const recorder = new Recorder();
  const channel = session.consume(queue, 'holder', recorder);
  await until(() => expect(recorder.deliveries).toHaveLength(1));
  channel.requeue(recorder.deliveries[0]?.deliveryTag ?? 0);
  await until(() => expect(recorder.deliveries).toHaveLength(2));
  return { channel, recorder, tag: () => recorder.deliveries.at(-1)?.deliveryTag ?? 0 };
}

async function countsOfNext(queue: string) {
  const next = new Recorder();
  (await open()).consume(queue, 'next', next);
  await until(() => expect(next.deliveries).toHaveLength(1));
  const { returns, nacked } = next.deliveries[0] ?? { returns: -1, nacked: -1 };
  return { returns, nacked };
}

describe.runIf(countsApart)('from 4.3 on nacks are counted apart:', () => {
  test('a token has no counts before its first return', async () => {
    const { session, queue } = await seeded();
    const recorder = new Recorder();
    session.consume(queue, 'holder', recorder);
    await until(() => expect(recorder.deliveries).toMatchObject([{ returns: 0, nacked: undefined }]));
  });

  test('a nack in one header, a reject in both', async () => {
    const { session, queue } = await seeded();
    const { channel, recorder, tag } = await nackedOnce(session, queue);
    for (const how of ['reject', 'requeue', 'reject'] as const) {
      const { length } = recorder.deliveries;
      channel[how](tag());
      await until(() => expect(recorder.deliveries).toHaveLength(length + 1));
    }
    expect(recorder.deliveries.slice(1).map(({ returns, nacked }) => [returns, nacked])).toEqual([
      [1, 1],
      [3, 1],
      [4, 2],
      [6, 2],
    ]);
  });

  test('a nack right before the close of its channel is a nack and a close', async () => {
    const { session, queue } = await seeded();
    const { channel, tag } = await nackedOnce(session, queue);
    channel.requeue(tag());
    channel.close();
    expect(await countsOfNext(queue)).toEqual({ returns: 4, nacked: 2 });
  });

  test('a close of the channel in both', async () => {
    const { session, queue } = await seeded();
    const { channel } = await nackedOnce(session, queue);
    channel.close();
    expect(await countsOfNext(queue)).toEqual({ returns: 3, nacked: 1 });
  });

  test('a close of the connection in both', async () => {
    const { session, queue } = await seeded();
    await nackedOnce(session, queue);
    await session.close(2_000);
    expect(await countsOfNext(queue)).toEqual({ returns: 3, nacked: 1 });
  });

  test('a channel that the broker closes in both', async () => {
    const { session, queue } = await seeded();
    const { channel } = await nackedOnce(session, queue);
    channel.ack(4_711);
    expect(await countsOfNext(queue)).toEqual({ returns: 3, nacked: 1 });
  });

  test('a socket that is destroyed in both', async () => {
    const { queue } = await seeded();
    const raw = await connectAmqp(BROKER, { noDelay: true });
    raw.on('error', () => {});
    const channel = await raw.createChannel();
    channel.on('error', () => {});
    await channel.prefetch(1);
    let nacks = 0;
    await new Promise<void>((resolve) => {
      void channel.consume(queue, (message) => {
        if (message === null || nacks === 1) return resolve();
        nacks += 1;
        channel.nack(message, false, true);
      });
    });
    (raw as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    expect(await countsOfNext(queue)).toEqual({ returns: 3, nacked: 1 });
  });

  describe.runIf(control !== undefined)('on a broker that is ours', () => {
    test('a connection that an operator closes in both', async () => {
      const { session, queue } = await seeded();
      await nackedOnce(session, queue);
      await control?.eval(
        '[rabbit_networking:close_connection(P, "by an operator") || P <- rabbit_networking:connections()], ok.',
      );
      expect(await countsOfNext(queue)).toEqual({ returns: 3, nacked: 1 });
    });

    test.each(['restart', 'kill'] as const)(
      'the end of the node by %s in both, and never in one',
      async (how) => {
        const { session, queue } = await seeded();
        await nackedOnce(session, queue);
        if (how === 'restart') {
          await control?.restart();
        } else {
          await control?.flush();
          await control?.kill();
          await control?.start();
        }
        const { returns, nacked } = await countsOfNext(queue);
        expect(nacked).toBe(1);
        expect(returns).toBeGreaterThanOrEqual(3);
      },
    );

    test('a consumer timeout in one, like a nack', { timeout: 60_000 }, async () => {
      const set = async (timeoutMs: number, tickMs: number): Promise<void> => {
        await control?.eval(
          `application:set_env(rabbit, consumer_timeout, ${timeoutMs}), application:set_env(rabbit, channel_tick_interval, ${tickMs}), ok.`,
        );
      };
      onTestFinished(() => set(1_800_000, 60_000));
      await set(1_000, 500);
      const { session, queue } = await seeded();
      const { recorder } = await nackedOnce(session, queue);
      await until(() => expect(recorder.log).toContain('cancelled'));
      expect(await countsOfNext(queue)).toEqual({ returns: 2, nacked: 2 });
    });
  });
});

test.runIf(!countsApart)('below 4.3 there is one count', async () => {
  const { session, queue } = await seeded();
  const { recorder } = await nackedOnce(session, queue);
  expect(recorder.deliveries.map(({ returns, nacked }) => [returns, nacked])).toEqual([
    [0, undefined],
    [1, undefined],
  ]);
});
