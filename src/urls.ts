import { z } from 'zod';
import { expects, parse } from './validation.ts';

/** Broker URLs, and until when the password in them is good. */
export interface ExpiringUrls {
  urls: string | readonly string[];
  /** A Date, or milliseconds since 1970. Not needed for a JSON Web Token, which says so itself. */
  credentialsExpireAt?: Date | number | undefined;
}

type UrlsAnswer = string | readonly string[] | ExpiringUrls;

/**
 * One broker URL, several that are tried in turn, or a function that returns them: it is called before every connection,
 * and on an open one before its credentials expire.
 */
export type BrokerUrls = string | readonly string[] | (() => UrlsAnswer | Promise<UrlsAnswer>);

/** A number below it is one of seconds, as in a token: in milliseconds it would be before March 1973. */
const EARLIEST_MS = 100_000_000_000;

const expiringSchema = z.strictObject({
  urls: z.custom<ExpiringUrls['urls']>(
    (value) => typeof value === 'string' || Array.isArray(value),
    expects('a URL or several'),
  ),
  credentialsExpireAt: z
    .custom<Date | number>(
      (value) => (value instanceof Date || typeof value === 'number') && Number(value) >= EARLIEST_MS,
      expects('a Date or milliseconds (not seconds) since 1970'),
    )
    .optional(),
}) satisfies z.ZodType<ExpiringUrls, ExpiringUrls>;

/** Throws {@link InvalidOptionsError}, which never quotes a URL. */
export const parseExpiringUrls = (answer: unknown): ExpiringUrls =>
  parse(expiringSchema, answer, 'connect: what the function for urls returned');
