import { z } from 'zod';
import { BASE_MAX, FENCES_PER_RETURN, fenceOf } from './fence.ts';
import { decodeJson, encodeJson } from './json.ts';

/** The one message that a lock is: the client that has it unacked holds the lock. Acked only when it is replaced. */
export interface Token {
  readonly id: string;
  readonly name: string;
  readonly base: bigint;
  /** How many fences each return is worth. */
  readonly fencesPerReturn: number;
  /** Who minted it. */
  readonly by: string;
  /** When it was minted, epoch milliseconds of the minter's clock. */
  readonly at: number;
}

/**
 * What a message on a lock queue turned out to be. Only a token is ever granted. A `newer` message is given back
 * untouched; a probe or a foreign message is inert while the live token exists, because that is held or at the head.
 */
export type Message =
  | Counted<Token>
  | ForeignMessage
  | { readonly kind: 'probe' }
  | { readonly kind: 'newer'; readonly version: number };

interface Counted<T> {
  readonly kind: 'token';
  readonly token: T;
  readonly returns: number;
  readonly fence: bigint;
}

interface ForeignMessage {
  readonly kind: 'foreign';
  readonly why: string;
}

const VERSION = 1;

const decimalBase = z
  .string()
  .regex(/^(0|[1-9]\d{0,18})$/)
  .transform((digits) => BigInt(digits))
  .refine((base) => base <= BASE_MAX);

const envelope = z.looseObject({ v: z.int().min(1), kind: z.unknown().optional() });
const tokenShape = z.looseObject({
  v: z.literal(VERSION),
  kind: z.literal('token'),
  id: z.uuid(),
  name: z.string(),
  base: decimalBase,
  stride: z.int().min(1).max(FENCES_PER_RETURN).default(1),
  by: z.string(),
  at: z.number(),
});

/** The wire form of a token: UTF-8 JSON, base in decimal because JSON numbers end at 2^53. */
export function encodeToken({ id, name, base, fencesPerReturn, by, at }: Token): Uint8Array {
  return encodeJson({
    v: VERSION,
    kind: 'token',
    id,
    name,
    base: String(base),
    stride: fencesPerReturn,
    by,
    at,
  });
}

/** The wire form of a probe, which asks "is there a token?" by being delivered only if there is none. */
export function encodeProbe(probe: { id: string; name: string; by: string; at: number }): Uint8Array {
  return encodeJson({ v: VERSION, kind: 'probe', ...probe });
}

/** Reads any message of the queue of lock `name`. Never throws: what it cannot read is a foreign message. */
export function decodeMessage(body: Uint8Array, returns: number, name: string): Message {
  const json = decodeJson(body);
  const head = envelope.safeParse(json);
  if (!head.success) return { kind: 'foreign', why: 'not a message of this protocol' };
  if (head.data.v > VERSION) return { kind: 'newer', version: head.data.v };
  if (head.data.kind === 'probe') return { kind: 'probe' };
  const shape = tokenShape.safeParse(json);
  if (!shape.success) return { kind: 'foreign', why: 'malformed token' };
  const { id, base, stride: fencesPerReturn, by, at } = shape.data;
  if (shape.data.name !== name) return { kind: 'foreign', why: 'token of another lock' };
  return countMessage({ id, name, base, fencesPerReturn, by, at }, returns);
}

/** A token that has been read before, as it is with another count. */
export function countMessage<T extends Pick<Token, 'base' | 'fencesPerReturn'>>(
  token: T,
  returns: number,
): Counted<T> | ForeignMessage {
  if (!Number.isSafeInteger(returns) || returns < 0)
    return { kind: 'foreign', why: 'impossible return count' };
  const fence = fenceOf(token.base, returns, token.fencesPerReturn);
  // No base is left above it: a process that has seen it could not make a token any more.
  if (fence > BASE_MAX) return { kind: 'foreign', why: 'fence beyond the largest base' };
  return { kind: 'token', token, returns, fence };
}
