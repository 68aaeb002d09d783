import { BrokerUnreachableError, ClosedError, InvalidOptionsError, isBatonError } from '../errors.ts';
import type { Settings } from '../options.ts';
import { type BrokerUrls, parseExpiringUrls } from '../urls.ts';
import { isFunction, isObject, show } from '../validation.ts';
import { type BrokerAddress, parseAddresses, withLogin } from './address.ts';
import { Bound } from './bound.ts';

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
