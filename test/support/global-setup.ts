import { provideBroker, shareBroker } from './broker/index.ts';

/** Provides one broker for the whole run; vitest calls what is returned at the end. */
export async function setup(): Promise<() => Promise<void>> {
  const log = (line: string): void => void process.stderr.write(`broker: ${line}\n`);
  const broker = await provideBroker({ log });
  log(`RabbitMQ ${broker.version} at ${new URL(broker.url).host} (${broker.how})`);
  // Not provide/inject of vitest: programs that the tests start must reach the broker as well.
  shareBroker(broker);
  return () => broker.stop();
}
