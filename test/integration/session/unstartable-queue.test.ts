/** A queue that the broker cannot start: it answers the declaration with 541, which ends the connection. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../../src/index.ts';
import { lockQueueName } from '../../../src/protocol/queues.ts';
import { sharedBroker } from '../../support/broker/index.ts';
import { BROKER, open, queueName, until } from './fixtures.ts';

const { control } = sharedBroker();

/** Something else has the name of its Raft server, as the rest of a queue of that name that was deleted may. */
async function occupy(queue: string): Promise<() => Promise<void>> {
  const name = `'%2F_${queue}'`;
  await control?.eval(
    `Self = self(), P = spawn(fun() -> register(${name}, self()), Self ! up, receive stop -> ok end end), receive up -> P end`,
  );
  const free = async () => {
    await control?.eval(`case whereis(${name}) of undefined -> ok; P -> P ! stop, ok end`);
  };
  onTestFinished(free);
  return free;
}

test('a queue that cannot be started costs the calls of others their connection once, and not at every attempt', async () => {
  const session = await open();
  const sick = queueName();
  const free = await occupy(sick);
  const failures: unknown[] = [];
  let isDeclared = false;
  const persistent = (async () => {
    while (!isDeclared) {
      try {
        await session.declare(sick);
        isDeclared = true;
      } catch (error) {
        failures.push(error);
        await pause(50);
      }
    }
  })();
  await until(() => expect(failures).not.toEqual([]));
  const failuresBefore = failures.length;
  const others: unknown[] = [];
  const lane = async () => {
    while (failures.length < failuresBefore + 4) {
      await session.declare(queueName()).catch((error: unknown) => others.push(error));
    }
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
  expect(others).toEqual([]);
  expect(failures).toSatisfy((all: { retryable?: boolean }[]) => all.every(({ retryable }) => retryable));
  expect(session.state).toBe('open');
  await free();
  await persistent;
});

test('a lock whose queue could not be started is granted when that has passed, and no lease is lost meanwhile', async () => {
  const baton = await connect(BROKER, { service: 'unstartable' });
  onTestFinished(() => baton.close());
  const sick = `sick-${Math.random()}`;
  const free = await occupy(lockQueueName('default', sick));
  await using held = await baton.lock(`held-${Math.random()}`).acquire();
  const waiting = baton.lock(sick).acquire({ timeoutMs: 30_000 });
  await pause(2_000);
  await Promise.all(
    Array.from({ length: 20 }, async (_, n) =>
      (await baton.lock(`${sick}/${n}`).acquire({ timeoutMs: 5_000 })).release(),
    ),
  );
  await free();
  await (await waiting).release();
  expect(held.loss).toBeUndefined();
});
