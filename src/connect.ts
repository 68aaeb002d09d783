import { connectSession } from './broker/session.ts';
import { Coordinator } from './coordinator.ts';
import { type BrokerUrls, type ConnectOptions, parseConnectOptions } from './options.ts';

/**
 * Connects to RabbitMQ 3.10 or newer and resolves with a {@link Coordinator}.
 *
 * @param urls one `amqp:` or `amqps:` URL; several, tried in turn; or a function that returns them before every
 * connection (expiring credentials)
 * @throws InvalidOptionsError, BrokerUnreachableError, AccessRefusedError, UnsupportedBrokerError: the first connection
 * fails within `connectTimeoutMs`; later ones are retried for ever, 0.05 to 5 s apart
 *
 * @example
 * await using baton = await connect('amqp://localhost', { service: 'billing' });
 */
export async function connect(urls: BrokerUrls, options?: ConnectOptions): Promise<Coordinator> {
  const settings = parseConnectOptions(options);
  return new Coordinator(await connectSession(urls, settings), settings);
}
