import { randomUUID } from 'node:crypto';
import { type ConfirmChannel, connect } from 'amqplib';
import { expect, onTestFinished, vi } from 'vitest';
import { lockQueueName } from '../../../src/protocol/queues.ts';
import type { BrokerControl } from '../../support/broker/index.ts';
import { BROKER } from './baton.ts';

/** How many have a place in the line of a lock, its holder included; asked of the broker itself. */
export async function consumersOf(lock: string, namespace = 'default'): Promise<number> {
  const queue = lockQueueName(namespace, lock);
  const name = `rabbit_misc:r(<<"/">>, queue, <<"${queue}">>)`;
  return Number(
    await control().eval(
      `case rabbit_amqqueue:lookup(${name}) of {ok, Q} -> length(rabbit_amqqueue:consumers(Q)); _ -> 0 end`,
    ),
  );
}

/** Whether there is a queue of this name; asked of the broker itself. */
export async function queueExists(name: string): Promise<boolean> {
  const found = await control().eval(`rabbit_amqqueue:exists(rabbit_misc:r(<<"/">>, queue, <<"${name}">>))`);
  return found === 'true';
}

/** A namespace of its own; its queues are removed at the end of the test. */
export function namespace(): string {
  const name = `cli-${randomUUID().slice(0, 8)}`;
  onTestFinished(async () => {
    const names = `[Name || {resource, <<"/">>, queue, <<"baton.${name}.", _/binary>>} = Name <- rabbit_amqqueue:list_names()]`;
    const remove = 'fun(Queue) -> rabbit_amqqueue:delete(Queue, false, false, <<"batonmq-test">>) end';
    // One that ends by itself meanwhile, with its connection, makes the removal fail: then it is looked at again.
    await vi.waitFor(async () => {
      await control().eval(`[catch rabbit_amqqueue:with(Name, ${remove}) || Name <- ${names}]`);
      expect(await control().eval(names)).toBe('[]');
    }, 10_000);
  });
  return name;
}

export function control(): BrokerControl {
  if (BROKER.control === undefined) throw new Error('this test administers the broker: unset BATON_URL');
  return BROKER.control;
}

/** Where the management API of the broker is, as a flag. */
export function management(): readonly string[] {
  if (BROKER.managementUrl === undefined) {
    throw new Error(
      'this test asks the management API: set BATON_MANAGEMENT_URL beside BATON_URL, or unset both',
    );
  }
  return ['--management-url', BROKER.managementUrl];
}

/** A plain AMQP channel. */
export async function withChannel<T>(use: (channel: ConfirmChannel) => Promise<T>): Promise<T> {
  const amqp = await connect(BROKER.url);
  try {
    return await use(await amqp.createConfirmChannel());
  } finally {
    await amqp.close();
  }
}
