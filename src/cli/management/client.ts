import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Destination } from '../../rabbitmq/address.ts';
import { type BrokerAddress, type Login, labelOf, parseUrl } from '../../rabbitmq/address.ts';
import type { Given } from '../flags.ts';
import { quote } from '../quote.ts';
import { UsageError } from '../usage-error.ts';
import { readPage } from './answers.ts';

/** Nobody there, or nobody who may be asked: what the management API could have told stays unknown. */
export class ManagementError extends Error {
  override readonly name = 'ManagementError';
}

const TIMEOUT_MS = 10_000;
const NEVER = new AbortController().signal;
/** The most that RabbitMQ gives at once. */
const PAGE_SIZE = 500;

interface Place extends Login {
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** The broker's management API, for one virtual host. */
export class Management {
  readonly #destination: Destination;
  readonly #givenUrl: Given | undefined;
  /** Percent-encoded. */
  readonly vhost: string;

  /**
   * @param broker the first one that is tried
   * @param givenUrl `--management-url`; without one, port 15672 (15671 with TLS) of the brokers' hosts
   * @throws UsageError for a URL that cannot be read; it is not quoted, a password may be in it
   */
  constructor(destination: Destination, broker: BrokerAddress, givenUrl: Given | undefined) {
    this.#destination = destination;
    this.#givenUrl = givenUrl;
    this.vhost = encodeURIComponent(broker.vhost);
    placesOf([broker], givenUrl);
  }

  /** GET of `/api/…`, from the first host that answers. Rejects with {@link ManagementError}; 404 is undefined. */
  async get(path: string): Promise<unknown> {
    const { addresses, socketOptions } = await this.#destination
      .ask(NEVER, TIMEOUT_MS)
      .catch((error: unknown) => {
        throw new ManagementError(error instanceof Error ? error.message : String(error));
      });
    const failures: string[] = [];
    for (const place of placesOf(addresses, this.#givenUrl)) {
      try {
        return await getFrom(place, socketOptions, path);
      } catch (error) {
        if (!(error instanceof ManagementError)) throw error;
        failures.push(error.message);
      }
    }
    throw new ManagementError(failures.join('. '));
  }

  /** Every item of a list that RabbitMQ gives in pages; some twice, when queues come and go in between. */
  async list(path: string, query: Readonly<Record<string, string>>): Promise<readonly unknown[]> {
    const all: unknown[] = [];
    for (let page = 1; ; page += 1) {
      const search = new URLSearchParams({ ...query, page: String(page), page_size: String(PAGE_SIZE) });
      const { items, pages } = readPage(await this.get(`${path}?${search}`));
      all.push(...items);
      if (page >= pages || items.length === 0) return all;
    }
  }
}

async function getFrom(place: Place, socketOptions: object, path: string): Promise<unknown> {
  const { tls, host, port, user, password } = place;
  const where = labelOf(place);
  const ask = tls ? requestHttps : requestHttp;
  const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const options = {
      ...(tls ? socketOptions : {}),
      host,
      port,
      path: `${place.path}/api/${path}`,
      auth: `${user}:${password}`,
      timeout: TIMEOUT_MS,
      agent: false as const,
    };
    const asking = ask(options, (answer) => {
      readText(answer).then((text) => resolve({ status: answer.statusCode ?? 0, text }), reject);
    });
    asking.on('timeout', () => asking.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    asking.on('error', reject);
    asking.end();
  }).catch((error: unknown) => {
    throw new ManagementError(
      `the management API does not answer at ${where} (${reasonOf(error)}): enable it with "rabbitmq-plugins enable rabbitmq_management", or say where it is with --management-url`,
    );
  });
  // RabbitMQ answers 400 for a page that is not there any more.
  if (status === 404 || (status === 400 && text.includes('page_out_of_range'))) return undefined;
  if (status === 401 || status === 403) {
    throw new ManagementError(
      `the management API at ${where} refused user '${user}': give it the tag "monitoring" with "rabbitmqctl set_user_tags ${quote(user)} monitoring"`,
    );
  }
  try {
    if (status === 200) return JSON.parse(text) as unknown;
  } catch {
    // Something else listens there.
  }
  throw new ManagementError(
    `what listens at ${where} is not the management API of RabbitMQ (status ${status})`,
  );
}

function placesOf(addresses: readonly BrokerAddress[], given: Given | undefined): readonly Place[] {
  const [first] = addresses;
  if (given === undefined || first === undefined) {
    return addresses.map((address) => ({ ...address, port: address.tls ? 15671 : 15672, path: '' }));
  }
  const refuse = (expectation: string, got: string) => new UsageError(`${given.what} ${expectation}; ${got}`);
  const { tls, host, port = tls ? 443 : 80, path, login = first } = parseUrl(given.text, 'http', refuse);
  const { user, password } = login;
  return [{ tls, host, port, path: path.replace(/\/+$/, ''), user, password }];
}

async function readText(answer: IncomingMessage): Promise<string> {
  answer.setEncoding('utf8');
  let text = '';
  for await (const chunk of answer) text += chunk;
  return text;
}

function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return String(code ?? message);
}
