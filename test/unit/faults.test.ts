import { expect, test } from 'vitest';
import { channelFault } from '../../src/broker/faults.ts';

/** As amqplib makes it of a channel.close. */
const refused = (code: number, said: string) =>
  Object.assign(new Error(`Operation failed: QueueDeclare; ${code} (X) with message "${said}"`), { code });

test.each([
  [
    405,
    `RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'Q' in vhost '/'.`,
    'queue-mismatch',
  ],
  [406, `PRECONDITION_FAILED - inequivalent arg 'x-expires' for queue 'Q' in vhost '/'`, 'queue-mismatch'],
  [406, `PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'Q' in vhost '/'`, 'queue-mismatch'],
  [
    406,
    `PRECONDITION_FAILED - cannot declare queue 'Q': queue limit in vhost 'v' (1) is reached`,
    'resource-limit',
  ],
  [
    406,
    `PRECONDITION_FAILED - cannot declare queue 'Q': queue limit in cluster (1) is reached`,
    'resource-limit',
  ],
  [406, `PRECONDITION_FAILED - something that nobody has seen yet for queue 'Q'`, 'unsupported-broker'],
])('a %i is told by what the broker says: %s', (code, said, expected) => {
  for (const name of ['plain', 'disabled', 'x-expires', 'feature flag', 'queue limit in a is reached']) {
    const queue = `baton.default.lock.${name}`;
    const error = channelFault(refused(code, said.replace('Q', queue)), 'declare', queue);
    expect([name, error.code]).toEqual([name, expected]);
    expect(error.message).toContain(queue);
  }
});
