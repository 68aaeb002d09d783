import { execFile } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { ClosedError } from '../../../src/errors.ts';
import type { SessionStateChange } from '../../../src/protocol/port.ts';
import { BROKER, open, proxied, queueName, Recorder, seeded, tapped, until } from './fixtures.ts';

describe('closing', () => {
  test('a close ends contenders, calls and connections, and everything later', async () => {
    const proxy = await proxied();
    const { session, queue } = await seeded(proxy.url);
    const changes: SessionStateChange[] = [];
    session.onStateChange((change) => changes.push(change));
    const [before, after] = [new Recorder(), new Recorder()];
    session.consume(queue, 'before', before);
    await until(() => expect(before.deliveries).toHaveLength(1));
    await Promise.all([session.close(2_000), session.close(2_000)]);
    expect(before.ends).toEqual([{ scope: 'connection' }]);
    expect(changes.map(({ from, to }) => `${from} ${to}`)).toEqual(['open closed']);
    await expect(session.look(queue)).rejects.toBeInstanceOf(ClosedError);
    session.consume(queue, 'after', after);
    await until(() => expect(after.ends).toHaveLength(1));
    expect(after.ends[0]?.error).toBeInstanceOf(ClosedError);
    await until(() => expect(proxy.openConnections).toBe(0));
  });

  test('a close on a frozen line is bounded, rejects what is under way, and destroys the sockets', async () => {
    const proxy = await proxied();
    // Frozen, the proxy does not pass a hang-up on: the tap before it sees the client's.
    const tap = await tapped(proxy.url);
    const session = await open(tap.url);
    const queue = queueName();
    await session.declare(queue);
    const recorder = new Recorder();
    session.consume(queue, 'tag', recorder);
    await until(() => expect(recorder.log).toEqual(['consuming']));
    proxy.freeze();
    const look = session.look(queue).catch((error: unknown) => error);
    const begun = performance.now();
    await session.close(400);
    expect(performance.now() - begun).toBeLessThan(1_500);
    expect(await look).toBeInstanceOf(ClosedError);
    expect(recorder.log).toEqual(['consuming', 'closed']);
    await until(() => expect(tap.openConnections).toBe(0));
  });

  test('a close while reconnecting ends the attempts', async () => {
    const proxy = await proxied();
    const session = await open(proxy.url);
    proxy.refuse();
    proxy.reset();
    await until(() => expect(session.state).toBe('reconnecting'));
    const recorder = new Recorder();
    session.consume('baton.test.lock.never', 'tag', recorder);
    const look = session.look('baton.test.lock.never').catch((error: unknown) => error);
    await session.close(500);
    expect(await look).toBeInstanceOf(ClosedError);
    expect(recorder.ends).toHaveLength(1);
    expect(session.state).toBe('closed');
  });

  test('after a close nothing keeps the process alive', async () => {
    const source = `
      import { connectSession } from '../../../src/rabbitmq/session.ts';
      import { parseConnectOptions } from '../../../src/options.ts';
      const session = await connectSession(process.env.BATON_URL, parseConnectOptions({}));
      await session.look('baton.test.lock.none');
      await session.publish('baton.test.lock.none', Buffer.from('x')).catch(() => {});
      session.consume('baton.test.lock.none', 'tag', { consuming() {}, delivered() {}, cancelled() {}, closed() {} });
      await session.close(1_000);
      const left = process.getActiveResourcesInfo().filter((kind) => /TCP|TLS|Timeout|Immediate/.test(kind));
      console.log(JSON.stringify(left));`;
    const run = promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', source],
      { env: { ...process.env, BATON_URL: BROKER }, cwd: import.meta.dirname, timeout: 40_000 },
    );
    expect(JSON.parse((await run).stdout)).toEqual([]);
  });
});
