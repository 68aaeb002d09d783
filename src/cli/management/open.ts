import type { Settings } from '../../options.ts';
import type { BrokerAddress } from '../../rabbitmq/address.ts';
import { Destination } from '../../rabbitmq/address.ts';
import type { BrokerUrls } from '../../urls.ts';
import type { Given } from '../flags.ts';
import { UsageError } from '../usage-error.ts';
import { Management } from './client.ts';

/** The management API of these brokers, and the first of them. Rejects with UsageError. */
export async function openManagement(
  urls: BrokerUrls,
  { socketOptions, connectTimeoutMs }: Settings,
  givenUrl: Given | undefined,
): Promise<{ management: Management; broker: BrokerAddress }> {
  const destination = new Destination(urls, socketOptions);
  const [broker] = (await destination.ask(new AbortController().signal, connectTimeoutMs)).addresses;
  if (broker === undefined) throw new UsageError('there is no URL of a broker');
  return { management: new Management(destination, broker, givenUrl), broker };
}
