/** A lock whose queue does not run: the broker answers a consume from it with 541, which ends the connection. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { connect } from '../../../src/index.ts';
import type { LockSession } from '../../../src/protocol/port.ts';
import { lockQueueName, registerQueueName } from '../../../src/protocol/queues.ts';
import { sharedBroker } from '../../support/broker/index.ts';
import { BROKER, open, queueName, Recorder, seeded, until } from './fixtures.ts';

const { control } = sharedBroker();

/** Stops the processes of a quorum queue, as a node does that has lost them, or starts them again. */
async function setRunning(queue: string, running: boolean): Promise<void> {
  await control?.eval(`{ok, Queue} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"${queue}">>)),
    {Name, _} = amqqueue:get_pid(Queue),
    ok = rabbit_quorum_queue:${running ? 'restart' : 'stop'}_server({Name, node()})`);
}

/** Consumes again whenever the connection ends, as a contender does. */
function persist(session: LockSession, queue: string): Recorder {
  const recorder = new Recorder();
  const { closed } = recorder;
  let consumer = session.consume(queue, 'persistent', recorder);
  let stopped = false;
  onTestFinished(() => {
    stopped = true;
    consumer.close();
  });
  recorder.closed = (end) => {
    closed(end);
    if (end.scope === 'connection' && !stopped) consumer = session.consume(queue, 'persistent', recorder);
  };
  return recorder;
}

/** A consumer of a queue that runs. */
async function holder(session: LockSession, queue: string): Promise<Recorder> {
  const recorder = new Recorder();
  session.consume(queue, 'holder', recorder);
  await until(() => expect(recorder.deliveries).toHaveLength(1));
  return recorder;
}

test('a queue that does not run costs the others their connection once, and not at every attempt', async () => {
  const { session, queue } = await seeded();
  const sick = queueName();
  await session.declare(sick);
  await session.publish(sick, Buffer.from('token'));
  await setRunning(sick, false);
  const first = await holder(session, queue);
  const patient = persist(session, sick);
  await until(() => expect(first.ends).toMatchObject([{ scope: 'connection' }]));
  const again = await holder(session, queue);
  // Several attempts: each one ends a connection, and not that of the holder.
  await until(() => expect(patient.ends.length).toBeGreaterThan(3));
  expect(again.ends).toEqual([]);
  expect(session.state).toBe('open');

  await setRunning(sick, true);
  await until(() => expect(patient.deliveries).toHaveLength(1));
  const attempts = patient.ends.length;
  await pause(200);
  expect(patient.ends).toHaveLength(attempts);
  expect(again.ends).toEqual([]);
});

test('more locks that do not run than connections apart end nobody else either, and all come back', async () => {
  const { session, queue } = await seeded();
  const sick = Array.from({ length: 7 }, queueName);
  for (const name of sick) {
    await session.declare(name);
    await session.publish(name, Buffer.from('token'));
    await setRunning(name, false);
  }
  const patients = sick.map((name) => persist(session, name));
  await until(() => expect(patients.every(({ ends }) => ends.length > 2)).toBe(true));
  const well = await holder(session, queue);
  const before = patients.map(({ ends }) => ends.length);
  await until(() =>
    expect(patients.every(({ ends }, index) => ends.length > (before[index] ?? 0))).toBe(true),
  );
  expect(well.ends).toEqual([]);
  for (const name of sick) await setRunning(name, true);
  await until(() => expect(patients.every(({ deliveries }) => deliveries.length > 0)).toBe(true));
  expect(well.ends).toEqual([]);
});

test('a lock whose state does not run is tried apart too', async () => {
  const baton = await connect(BROKER, { service: 'sick-state' });
  onTestFinished(() => baton.close());
  const session = await open();
  const name = queueName();
  const lock = baton.lock(name, { state: z.number() });
  await (await lock.acquire()).release({ state: 7 });
  const register = registerQueueName('default', name);
  onTestFinished(async () => {
    for (const queue of [lockQueueName('default', name), register]) await session.remove(queue);
  });
  await setRunning(register, false);
  const other = queueName();
  onTestFinished(() => session.remove(lockQueueName('default', other)));
  const lost = new Promise<void>((resolve) => {
    baton.on('state', ({ to }) => to === 'reconnecting' && resolve());
  });
  const waiting = lock.acquire();
  await lost;
  const well = await baton.lock(other).acquire();
  // Several attempts, which nobody sees from here.
  await pause(3_000);
  expect(well.signal.aborted).toBe(false);
  await setRunning(register, true);
  const lease = await waiting;
  expect(lease.state).toBe(7);
  expect(well.signal.aborted).toBe(false);
});
