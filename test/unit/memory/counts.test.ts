import { describe, expect, it } from 'vitest';
import { Q, Scene, settle } from './fixtures.ts';

type Contenders = Awaited<ReturnType<Scene['contenders']>>;

const ENDS: Readonly<Record<string, (scene: Scene, holder: Contenders[0]) => void>> = {
  'a close of its channel': (_, { channel }) => channel.close(),
  'an end of its connection': (_, { session }) => session.disconnect(),
  'a restart': ({ broker }) => broker.restart(),
  'an operator who closes its channel': ({ broker }) => void broker.closeChannel(Q),
  'a return that it is not told of': ({ broker }) => void broker.takeBack(Q),
};

describe('from 4.3 on the counts of a token', () => {
  it('are absent before its first return', async () => {
    const scene = new Scene();
    const [a] = await scene.contenders('a');
    expect(a.deliveries).toMatchObject([{ returns: 0, nacked: undefined }]);
  });

  it('tell nacks from rejects: one counts once, the other twice', async () => {
    const scene = new Scene();
    const [a] = await scene.contenders('a');
    for (const how of ['reject', 'requeue', 'requeue', 'reject'] as const) {
      a.channel[how](a.tag());
      await settle();
    }
    expect(a.deliveries.slice(1).map(({ returns, nacked }) => [returns, nacked])).toEqual([
      [2, 0],
      [3, 1],
      [4, 2],
      [6, 2],
    ]);
  });

  it.each(Object.entries(ENDS))('tell nacks from %s', async (_, end) => {
    const scene = new Scene();
    const [a] = await scene.contenders('a');
    a.channel.requeue(a.tag());
    await settle();
    end(scene, a);
    await settle();
    const next = scene.attach(scene.broker.connect(), 'next');
    await settle();
    const deliveries = [...a.deliveries.slice(2), ...next.deliveries];
    expect(deliveries).toMatchObject([{ returns: 3, nacked: 1 }]);
  });

  it('do not tell a consumer timeout from a nack', async () => {
    const scene = new Scene();
    const [, b] = await scene.contenders('a', 'b');
    scene.broker.cancelConsumer(Q);
    await settle();
    expect(b.deliveries).toMatchObject([{ returns: 1, nacked: 1 }]);
  });
});

it('below 4.3 all returns are counted alike', async () => {
  const scene = new Scene([4, 2, 0]);
  const [a] = await scene.contenders('a');
  a.channel.requeue(a.tag());
  await settle();
  a.channel.reject(a.tag());
  await settle();
  expect(a.deliveries.map(({ returns, nacked }) => [returns, nacked])).toEqual([
    [0, undefined],
    [1, undefined],
    [2, undefined],
  ]);
});
