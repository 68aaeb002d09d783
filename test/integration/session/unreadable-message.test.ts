/** A message that the broker accepts and amqplib cannot decode: its headers are nested too deep. */
import { randomUUID } from 'node:crypto';
import { connect as connectAmqp } from 'amqplib';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { connect } from '../../../src/index.ts';
import { lockQueueArguments, lockQueueName, registerQueueName } from '../../../src/protocol/topology.ts';
import { BROKER, open } from './fixtures.ts';

const NAMESPACE = 'unreadable';

/** A table in a table in a table, written by hand: amqplib encodes no deeper than it decodes. */
function nestedTable(depth: number): Buffer {
  let table = Buffer.alloc(4);
  for (let level = 0; level < depth; level += 1) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(table.length + 3);
    table = Buffer.concat([length, Buffer.from([1]), Buffer.from('aF'), table]);
  }
  return table;
}

/** Publishes it behind what is in the queue. */
async function poison(queue: string): Promise<void> {
  const raw = await connectAmqp(BROKER, { noDelay: true });
  const channel = await raw.createConfirmChannel();
  await channel.assertQueue(queue, { durable: true, arguments: lockQueueArguments(undefined) });
  const frame = (type: number, payload: Buffer) => {
    const head = Buffer.alloc(7);
    head.writeUInt8(type);
    head.writeUInt16BE(1, 1);
    head.writeUInt32BE(payload.length, 3);
    return Buffer.concat([head, payload, Buffer.from([0xce])]);
  };
  const short = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
  const publish = Buffer.concat([
    Buffer.from([0, 60, 0, 40, 0, 0]),
    short(''),
    short(queue),
    Buffer.from([0]),
  ]);
  const properties = Buffer.concat([
    Buffer.from([0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x20, 0]),
    nestedTable(6_000),
  ]);
  const confirmed = new Promise<void>((resolve) => channel.once('ack', () => resolve()));
  const { stream } = (raw as unknown as { connection: { stream: { write(bytes: Buffer): void } } })
    .connection;
  stream.write(Buffer.concat([frame(1, publish), frame(2, properties), frame(3, Buffer.from('{}'))]));
  await confirmed;
  await raw.close();
}

async function scene() {
  const baton = await connect(BROKER, { namespace: NAMESPACE });
  const session = await open();
  const name = randomUUID();
  const others = Array.from({ length: 36 }, (_, index) => `${name}-${index}`);
  onTestFinished(async () => {
    await baton.close({ drainMs: 0 });
    for (const lock of [name, ...others]) {
      await session.remove(lockQueueName(NAMESPACE, lock));
      await session.remove(registerQueueName(NAMESPACE, lock));
    }
  });
  const leases = await Promise.all(others.map((lock) => baton.lock(lock).acquire()));
  const states: string[] = [];
  baton.on('state', ({ to }) => states.push(to));
  return { baton, session, name, leases, states };
}

test('a message that cannot be read is an error of its lock, and costs no other lease', async () => {
  const { baton, session, name, leases, states } = await scene();
  await poison(lockQueueName(NAMESPACE, name));
  for (let attempt = 0; attempt < 3; attempt += 1) {
    await expect(baton.lock(name).acquire()).rejects.toMatchObject({
      code: 'queue-mismatch',
      message: expect.stringContaining(lockQueueName(NAMESPACE, name)) as string,
    });
  }
  expect(leases.filter(({ signal }) => signal.aborted)).toEqual([]);
  expect(states).toEqual([]);
  await session.remove(lockQueueName(NAMESPACE, name));
  await (await baton.lock(name).acquire()).release();
});

test('a message that cannot be read in a register is an error of its lock, and costs no other lease', async () => {
  const { baton, session, name, leases, states } = await scene();
  const register = registerQueueName(NAMESPACE, name);
  const lock = baton.lock(name, { state: z.number() });
  await (await lock.acquire()).release({ state: 7 });
  await poison(register);
  for (let attempt = 0; attempt < 3; attempt += 1) {
    await expect(lock.acquire()).rejects.toMatchObject({
      code: 'queue-mismatch',
      message: expect.stringContaining(register) as string,
    });
  }
  expect(leases.filter(({ signal }) => signal.aborted)).toEqual([]);
  expect(states).toEqual([]);
  await session.remove(register);
  await (await lock.acquire()).release();
});
