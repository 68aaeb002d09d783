import { Coordinator } from './coordinator.ts';
import { type ConnectOptions, parseConnectOptions } from './options.ts';
import { connectSession } from './rabbitmq/session.ts';
import type { BrokerUrls } from './urls.ts';

/**
 * Connects to RabbitMQ 3.10 or newer and resolves with a {@link Coordinator}.
 *
 * @param urls one `amqp:` or `amqps:` URL; several, tried in turn; or a function that returns them, which is called
 * before every connection and before credentials expire
 * @throws InvalidOptionsError, AccessRefusedError, UnsupportedBrokerError at once; BrokerUnreachableError when no broker
 * was there within `connectTimeoutMs`. Later connections are retried without end, 0.05 to 5 s apart
 *
 * @example
 * await using baton = await connect('amqp://localhost', { service: 'billing' });
 */
export async function connect(urls: BrokerUrls, options?: ConnectOptions): Promise<Coordinator> {
  const settings = parseConnectOptions(options);
  return new Coordinator(await connectSession(urls, settings), settings);
}
