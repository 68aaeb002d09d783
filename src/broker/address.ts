import { InvalidOptionsError } from '../errors.ts';
import { expiryOf } from './credentials.ts';

/** AMQP's own. RabbitMQ 4.3 wants 8192 and resets the connection, without a word, when it is less. */
const MIN_FRAME = 4_096;

/** One broker URL, taken apart. Only {@link labelOf} and `user` may be shown to anybody. */
export interface BrokerAddress {
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** When the password ends, in milliseconds since 1970; undefined when that is not known. */
  readonly expiresAt: number | undefined;
  readonly vhost: string;
  readonly heartbeatMs: number | undefined;
  /** `channelMax`, `frameMax` and `locale` of the URL's query, as amqplib reads them. */
  readonly tuning: { readonly channelMax?: number; readonly frameMax?: number; readonly locale?: string };
}

/** `host:port`, free of credentials. */
export function labelOf({ host, port }: Pick<BrokerAddress, 'host' | 'port'>): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The same address with the login that `socketOptions.credentials` puts in the place of the URL's. */
export function withLogin(address: BrokerAddress, credentials: unknown): BrokerAddress {
  if (typeof credentials !== 'object' || credentials === null) return address;
  const { username, password: given } = credentials as Record<string, unknown>;
  const password = typeof given === 'string' ? given : '';
  return {
    ...address,
    user: typeof username === 'string' ? username : 'of socketOptions.credentials',
    password,
    expiresAt: expiryOf(password),
  };
}

/** Takes what the caller gave as URLs apart. Throws {@link InvalidOptionsError}, which never quotes a URL. */
export function parseAddresses(urls: unknown): BrokerAddress[] {
  const list: readonly unknown[] = Array.isArray(urls) ? urls : [urls];
  if (list.length === 0)
    throw new InvalidOptionsError(['connect: urls must hold at least one URL, got none']);
  return list.map((url, index) => parseAddress(url, list.length === 1 ? 'URL' : `URL ${index + 1}`));
}

function parseAddress(given: unknown, what: string): BrokerAddress {
  if (typeof given !== 'string') {
    throw problem(what, 'must be a string such as amqp://user:password@host/vhost', `got ${typeof given}`);
  }
  if (!/^amqps?:\/\//i.test(given)) {
    throw problem(what, 'must begin with amqp:// or amqps://', 'got neither');
  }
  // The error of `new URL` carries its input, password and all, so it must not become a cause.
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined) {
    throw problem(what, 'cannot be read', 'percent-encode special characters of user, password and vhost');
  }
  // An unencoded / ? or # in a password ends the host early: the rest of it would be shown as port or vhost.
  if (url.hash !== '' || url.pathname.includes('@') || url.search.includes('@')) {
    throw problem(what, 'has an @ or # after the host', 'percent-encode / ? # @ in user, password and vhost');
  }
  if (url.hostname === '') throw problem(what, 'must name a host', 'got none');
  const tls = url.protocol === 'amqps:';
  const anonymous = url.username === '' && url.password === '';
  const query = url.searchParams;
  const password = anonymous ? 'guest' : decode(url.password, what);
  const seconds = wholeNumber(query.get('heartbeat'), `${what}: heartbeat`, 1, 65_535);
  return {
    tls,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (tls ? 5671 : 5672) : Number(url.port),
    user: anonymous ? 'guest' : decode(url.username, what),
    password,
    expiresAt: expiryOf(password),
    vhost: decode(url.pathname.slice(1), what) || '/',
    heartbeatMs: seconds === undefined ? undefined : seconds * 1_000,
    tuning: {
      channelMax: wholeNumber(query.get('channelMax'), `${what}: channelMax`, 0, 65_535),
      frameMax: wholeNumber(query.get('frameMax'), `${what}: frameMax`, MIN_FRAME, 2 ** 31 - 1),
      locale: query.get('locale') ?? undefined,
    },
  };
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw problem(what, 'has a % that is not followed by two hex digits', 'write %25 for a percent sign');
  }
}

function wholeNumber(text: string | null, what: string, min: number, max: number): number | undefined {
  if (text === null) return undefined;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  const hint = what.endsWith('heartbeat') ? ' (seconds; heartbeats cannot be turned off)' : '';
  throw problem(what, `must be a whole number from ${min} to ${max}${hint}`, `got ${text.slice(0, 12)}`);
}

const problem = (what: string, expectation: string, got: string) =>
  new InvalidOptionsError([`connect: ${what} ${expectation}; ${got}`]);
