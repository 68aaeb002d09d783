import { describe, expect, test } from 'vitest';
import { changed, proxied, Recorder, seeded, tapped, until } from './fixtures.ts';

describe('contenders', () => {
  test('a contender that is closed before it has a channel consumes nothing, and is told', async () => {
    const { session, queue } = await seeded();
    const recorders = Array.from({ length: 20 }, () => new Recorder());
    for (const [index, recorder] of recorders.entries())
      session.consume(queue, `t${index}`, recorder).close();
    await until(() => expect(recorders.flatMap(({ ends }) => ends)).toHaveLength(20));
    expect(new Set(recorders.flatMap(({ log }) => log))).toEqual(new Set(['closed']));
    await until(async () => expect(await session.look(queue)).toEqual({ ready: 1, consumers: 0 }));
  });

  test('a close that crosses a close by the broker is over, although it is never answered', async () => {
    const tap = await tapped();
    const { session, queue } = await seeded(tap.url);
    const recorder = new Recorder();
    const consumer = session.consume(queue, 'tag', recorder);
    await until(() => expect(recorder.deliveries).toHaveLength(1));
    // Class channel (20), close-ok (41) becomes close (40), with code, text and method: the channel stays the same.
    tap.setRewrite((bytes) => {
      const at = bytes.indexOf(Buffer.from([0, 0, 0, 4, 0, 20, 0, 41]));
      if (at < 0) return bytes;
      const fields = Buffer.from([0, 0, 0, 11, 0, 20, 0, 40, 1, 148, 0, 0, 60, 0, 20]);
      return Buffer.concat([bytes.subarray(0, at), fields, bytes.subarray(at + 8)]);
    });
    consumer.close();
    await until(() => expect(recorder.ends).toEqual([{ scope: 'channel' }]));
  });

  test('fifty contenders fit on connections of eight channels, and every one is served', async () => {
    const { session, queue } = await seeded(changed({ query: '?channelMax=8' }));
    const recorders = Array.from({ length: 50 }, () => new Recorder());
    const consumers = recorders.map((recorder, index) => session.consume(queue, `t${index}`, recorder));
    await until(() => expect(recorders.filter(({ log }) => log.includes('consuming'))).toHaveLength(50));
    const granted = new Set<Recorder>();
    for (let round = 0; round < 50; round += 1) {
      await until(() => {
        const holder = recorders.findIndex((r) => r.deliveries.length > 0 && !granted.has(r));
        expect(holder).toBeGreaterThanOrEqual(0);
        granted.add(recorders[holder] as Recorder);
        consumers[holder]?.close();
      });
    }
    await until(() =>
      expect(recorders.flatMap(({ ends }) => ends)).toEqual(Array(50).fill({ scope: 'channel' })),
    );
    expect(recorders.flatMap(({ deliveries }) => deliveries)).toHaveLength(50);
    expect(session.state).toBe('open');
  });

  test('channels are used once: many contenders one after the other stay on one connection', async () => {
    const proxy = await proxied();
    const { session, queue } = await seeded(changed({ query: '?channelMax=3' }, proxy.url));
    for (let round = 0; round < 40; round += 1) {
      const recorder = new Recorder();
      const consumer = session.consume(queue, `round-${round}`, recorder);
      await until(() => expect(recorder.deliveries).toHaveLength(1));
      consumer.close();
    }
    expect(proxy.connections).toHaveLength(3);
  });
});
