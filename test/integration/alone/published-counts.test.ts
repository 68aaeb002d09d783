import { connect as connectAmqp } from 'amqplib';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ConsumerChannel } from '../../../src/protocol/port.ts';
import { isBelow43 } from '../../../src/protocol/versions.ts';
import { sharedBroker } from '../../support/broker/index.ts';
import { BROKER, open, queueName, Recorder, seeded, until } from '../session/fixtures.ts';

const { version, control } = sharedBroker();
const [major = 0, minor = 0] = version.split('.').map(Number);
const isOld = isBelow43([major, minor, 0]);

/** A queue with one message, published with the headers in which a broker counts. */
async function withCounts(): Promise<string> {
  const queue = queueName();
  await (await open()).declare(queue);
  const raw = await connectAmqp(BROKER, { noDelay: true });
  onTestFinished(() => raw.close());
  const channel = await raw.createConfirmChannel();
  channel.sendToQueue(queue, Buffer.from('token'), {
    persistent: true,
    headers: { 'x-acquired-count': 7, 'x-delivery-count': 3 },
  });
  await channel.waitForConfirms();
  return queue;
}

describe('what a publisher wrote is no count of the broker:', () => {
  test('a message that was never given back has come back 0 times', async () => {
    const queue = await withCounts();
    const recorder = new Recorder();
    (await open()).consume(queue, 'first', recorder);
    await until(() => expect(recorder.deliveries).toMatchObject([{ returns: 0, nacked: undefined }]));
  });

  test('and so it is counted from there on', async () => {
    const queue = await withCounts();
    const recorder = new Recorder();
    const channel = (await open()).consume(queue, 'first', recorder);
    await until(() => expect(recorder.deliveries).toHaveLength(1));
    channel.reject(recorder.deliveries[0]?.deliveryTag ?? 0);
    const expected = isOld ? { returns: 1, nacked: undefined } : { returns: 2, nacked: 0 };
    await until(() => expect(recorder.deliveries.slice(1)).toMatchObject([expected]));
  });
});

const WAYS: readonly (readonly [string, (channel: ConsumerChannel, tag: number) => unknown])[] = [
  ['nack', (channel, tag) => channel.requeue(tag)],
  ['reject', (channel, tag) => channel.reject(tag)],
  ['the end of its channel', (channel) => channel.close()],
];

describe('whatever gives a message back for the first time is counted:', () => {
  test.each(WAYS)('%s', async (_how, giveBack) => {
    const { session, queue } = await seeded();
    const recorder = new Recorder();
    const channel = session.consume(queue, 'first', recorder);
    await until(() => expect(recorder.deliveries).toHaveLength(1));
    const next = new Recorder();
    (await open()).consume(queue, 'next', next);
    await until(() => expect(next.log).toContain('consuming'));
    giveBack(channel, recorder.deliveries[0]?.deliveryTag ?? 0);
    await until(() => {
      const again = recorder.deliveries[1] ?? next.deliveries[0];
      expect(again?.returns).toBeGreaterThan(0);
    });
  });

  test.runIf(control !== undefined)('the end of its node', async () => {
    const { session, queue } = await seeded();
    const recorder = new Recorder();
    session.consume(queue, 'first', recorder);
    await until(() => expect(recorder.deliveries).toHaveLength(1));
    await control?.flush();
    await control?.kill();
    await control?.start();
    const next = new Recorder();
    (await open()).consume(queue, 'next', next);
    await until(() => expect(next.deliveries[0]?.returns).toBeGreaterThan(0));
  });
});
