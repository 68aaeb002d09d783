import { randomUUID } from 'node:crypto';
import { connect as connectAmqp } from 'amqplib';
import { onTestFinished } from 'vitest';
import { lockPlace } from '../../src/protocol/topology.ts';
import { sharedBroker } from '../support/broker/index.ts';
import { type Program, startProgram } from '../support/processes.ts';

/** Starts a program of docs/examples on the broker of this run; it is gone when the test ends. */
export function startExample(file: string, env: Record<string, string> = {}): Program {
  const program = startProgram(new URL(`../../docs/examples/${file}`, import.meta.url), {
    env: { AMQP_URL: sharedBroker().url, ...env },
  });
  onTestFinished(() => program.kill().then(() => {}));
  return program;
}

/** A name that no other test has. */
export const unique = (what: string): string => `${what}-${randomUUID()}`;

/** A plain AMQP channel, closed when the test ends. */
export async function openChannel() {
  const connection = await connectAmqp(sharedBroker().url);
  connection.on('error', () => {}); // it may be the test that restarts the broker
  onTestFinished(() => connection.close().catch(() => {}));
  return connection.createConfirmChannel();
}

/** Deletes the queues of these locks when the test ends, or now. */
export async function deleteLocks(names: readonly string[], namespace = 'default'): Promise<void> {
  const connection = await connectAmqp(sharedBroker().url);
  const channel = await connection.createChannel();
  for (const name of names) await channel.deleteQueue(lockPlace(namespace, name, undefined).queue);
  await connection.close();
}

export interface Span {
  readonly startedAt: number;
  readonly endedAt: number;
}

/** Whether none begins before the one that began before it has ended. */
export function oneAfterTheOther(spans: readonly Span[]): boolean {
  const sorted = spans.toSorted((one, other) => one.startedAt - other.startedAt);
  return sorted.every((span, i) => i === 0 || span.startedAt >= (sorted[i - 1]?.endedAt ?? 0));
}
