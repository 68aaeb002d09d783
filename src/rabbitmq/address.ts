import { BrokerUnreachableError, ClosedError, InvalidOptionsError, isBatonError } from '../errors.ts';
import type { Settings } from '../options.ts';
import { decodeJson } from '../protocol/json.ts';
import { type BrokerUrls, parseExpiringUrls } from '../urls.ts';
import { isFunction, isObject, show } from '../validation.ts';
import { Bound } from './timing.ts';

/** AMQP's own. RabbitMQ 4.3 wants 8192 and resets the connection, without a word, when it is less. */
const MIN_FRAME = 4_096;

/** A password that is shorter is a part of other words, too. */
const MASK_AT_LEAST = 3;

export interface Login {
  readonly user: string;
  readonly password: string;
}

/** Makes an error of what a URL must be, and what is wrong with it. */
type Refuse = (expectation: string, got: string) => Error;

/** One broker URL, taken apart. Only {@link labelOf} and `user` may be shown to anybody. */
export interface BrokerAddress extends Login {
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
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

/** A last guard for texts of others: amqplib and Node are never told a URL, but a user's own `credentials` may throw one. */
export function withoutPassword(text: string, login: Login | undefined): string {
  if (login === undefined || login.password === login.user) return text;
  return [login.password, encodeURIComponent(login.password)]
    .filter((secret) => secret.length >= MASK_AT_LEAST)
    .reduce((shown, secret) => shown.replaceAll(secret, '***'), text);
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
  const refuse: Refuse = (expectation, got) => problem(what, expectation, got);
  const { tls, host, port = tls ? 5671 : 5672, login, path, query } = parseUrl(given, 'amqp', refuse);
  const { user, password } = login ?? { user: 'guest', password: 'guest' };
  const seconds = wholeNumber(query.get('heartbeat'), `${what}: heartbeat`, 1, 65_535);
  return {
    tls,
    host,
    port,
    user,
    password,
    expiresAt: expiryOf(password),
    vhost: decode(path.slice(1), refuse) || '/',
    heartbeatMs: seconds === undefined ? undefined : seconds * 1_000,
    tuning: {
      channelMax: wholeNumber(query.get('channelMax'), `${what}: channelMax`, 0, 65_535),
      frameMax: wholeNumber(query.get('frameMax'), `${what}: frameMax`, MIN_FRAME, 2 ** 31 - 1),
      locale: query.get('locale') ?? undefined,
    },
  };
}

/** Takes a URL apart that may have a login in it. Throws what `refuse` makes, to which the URL is not told. */
export function parseUrl(given: string, scheme: 'amqp' | 'http', refuse: Refuse) {
  if (!new RegExp(`^${scheme}s?://`, 'i').test(given)) {
    throw refuse(`must begin with ${scheme}:// or ${scheme}s://`, 'got neither');
  }
  const parts = `user, password and ${scheme === 'amqp' ? 'vhost' : 'path'}`;
  // The error of `new URL` carries its input, password and all, so it must not become a cause.
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined) throw refuse('cannot be read', `percent-encode special characters of ${parts}`);
  const { hostname, port, pathname: path, search, hash, username, password } = url;
  // An unencoded / ? or # in a password ends the host early: the rest of it would be shown as port or vhost.
  // The management API's own pages have a # in their addresses.
  if ((path + search + hash).includes('@') || (scheme === 'amqp' && hash !== '')) {
    throw refuse('has an @ or # after the host', `percent-encode / ? # @ in ${parts}`);
  }
  if (hostname === '') throw refuse('must name a host', 'got none');
  const anonymous = username === '' && password === '';
  return {
    tls: url.protocol === `${scheme}s:`,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? undefined : Number(port),
    login: anonymous ? undefined : { user: decode(username, refuse), password: decode(password, refuse) },
    path, // percent-encoded
    query: url.searchParams,
  };
}

function decode(text: string, refuse: Refuse): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refuse('has a % that is not followed by two hex digits', 'write %25 for a percent sign');
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

/** Of a JSON Web Token; not verified, because the broker does that. */
export interface Claims {
  /** Seconds since 1970. */
  readonly exp?: number | undefined;
  readonly sub?: string | undefined;
}

/** Nothing of what is no JSON Web Token. */
export function claimsOf(password: string): Claims {
  const [, payload, signature, ...more] = password.split('.');
  if (payload === undefined || signature === undefined || more.length > 0) return {};
  const claims = decodeJson(Buffer.from(payload, 'base64url'));
  if (typeof claims !== 'object' || claims === null) return {};
  const { exp, sub } = claims as Record<string, unknown>;
  return {
    exp: typeof exp === 'number' ? exp : undefined,
    sub: typeof sub === 'string' ? sub : undefined,
  };
}

/** Until when a password is good, in milliseconds since 1970; undefined when it does not say. */
export function expiryOf(password: string): number | undefined {
  const { exp } = claimsOf(password);
  return exp === undefined ? undefined : exp * 1_000;
}

/** Where to connect and how, as the caller's functions say it now. */
export interface Target {
  readonly addresses: readonly BrokerAddress[];
  readonly socketOptions: object;
}

/** What `connect` was given as `urls` and `socketOptions`; each may be a function. */
export class Destination {
  readonly #urls: BrokerUrls;
  readonly #socketOptions: Settings['socketOptions'];

  constructor(urls: BrokerUrls, socketOptions: Settings['socketOptions']) {
    this.#urls = urls;
    this.#socketOptions = socketOptions;
  }

  /** Whether asking again can say anything else. */
  get isFixed(): boolean {
    return !isFunction(this.#urls) && !isFunction(this.#socketOptions);
  }

  /** Asks the caller's functions. Rejects in time, whatever they do, and with ClosedError when the signal is aborted. */
  async ask(signal: AbortSignal, timeoutMs: number): Promise<Target> {
    const [answer, socketOptions] = await Promise.all([
      answerOf(this.#urls, "The function that returns the broker's URLs", signal, timeoutMs),
      answerOf(this.#socketOptions, 'The function that returns socketOptions', signal, timeoutMs),
    ]);
    if (!isObject(socketOptions)) {
      const got = show(socketOptions);
      throw new InvalidOptionsError([
        `connect: the function for socketOptions must return an object, got ${got}`,
      ]);
    }
    const { urls, credentialsExpireAt } =
      isFunction(this.#urls) && isObject(answer) ? parseExpiringUrls(answer) : { urls: answer };
    const credentials: unknown = Reflect.get(socketOptions, 'credentials');
    const addresses = parseAddresses(urls).map((address) => withLogin(address, credentials));
    if (credentialsExpireAt === undefined) return { addresses, socketOptions };
    const expiresAt = Number(credentialsExpireAt);
    return { addresses: addresses.map((address) => ({ ...address, expiresAt })), socketOptions };
  }
}

async function answerOf<T>(
  given: T | (() => T | Promise<T>),
  what: string,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<T> {
  if (typeof given !== 'function') return given;
  const ask = given as () => T | Promise<T>;
  const bound = new Bound(signal, timeoutMs);
  try {
    return await Promise.race([bound.expired, Promise.resolve().then(ask)]);
  } catch (error) {
    if (signal.aborted) throw new ClosedError('The session was closed while it was connecting');
    if (isBatonError(error)) throw error;
    const why = bound.signal.aborted ? 'did not answer in time' : 'failed; see the cause';
    throw new BrokerUnreachableError(`${what} ${why}`, { cause: error });
  } finally {
    bound.release();
  }
}
