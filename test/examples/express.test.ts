import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/index.ts';
import { sharedBroker } from '../support/broker/index.ts';
import { deleteLocks, oneAfterTheOther, type Span, startExample, unique } from './start.ts';

async function startServer(): Promise<{ url: string; program: ReturnType<typeof startExample> }> {
  const program = startExample('express.ts', { PORT: '0' });
  const { listening } = await program.next<{ listening: { port: number } }>(
    (it) => it.listening !== undefined,
  );
  return { url: `http://127.0.0.1:${listening.port}`, program };
}

test('orders of one customer are taken one at a time on two servers, others side by side, and too many get 409', async () => {
  const [a, b] = [await startServer(), await startServer()];
  const [one, other, busy] = [unique('one'), unique('other'), unique('busy')];
  onTestFinished(() => deleteLocks([one, other, busy].map((id) => `customer:${id}`)));
  const order = async (url: string, id: string) => {
    const response = await fetch(`${url}/customers/${id}/orders`, { method: 'POST' });
    return { status: response.status, body: (await response.json()) as Span & { fence: string } };
  };
  const of = (id: string) => Promise.all([a, b, a, b, a, b].map(({ url }) => order(url, id)));
  const [ones, others] = await Promise.all([of(one), of(other)]);
  for (const orders of [ones, others]) {
    expect(orders.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201, 201]);
    expect(oneAfterTheOther(orders.map(({ body }) => body))).toBe(true);
    expect(new Set(orders.map(({ body }) => body.fence)).size).toBe(6);
  }
  expect(oneAfterTheOther([...ones, ...others].map(({ body }) => body))).toBe(false);

  await using baton = await connect(sharedBroker().url, { idleExpiryMs: 3_600_000 });
  const lease = await baton.lock(`customer:${busy}`).acquire();
  const refused = await fetch(`${a.url}/customers/${busy}/orders`, { method: 'POST' });
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([409, '2']);
  await lease.release();
  for (const { program } of [a, b]) expect(await program.kill('SIGTERM')).toEqual({ code: 0, signal: null });
});
