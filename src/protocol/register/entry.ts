import { z } from 'zod';
import { BASE_MAX } from '../fence.ts';
import { decodeJson, encodeJson } from '../json.ts';

/** How much JSON a lock can carry, in bytes of UTF-8. */
export const STATE_BYTES = 4_096;

/**
 * One message of a register. The highest (fence, seq) is the state. A seed has fence 0 and seq 0: it is below
 * everything, so it can be published at any time and undoes nothing.
 */
export interface Entry {
  readonly id: string;
  /** Of the hold that wrote it. */
  readonly fence: bigint;
  /** Counts what one hold wrote, from 1. */
  readonly seq: number;
  /** Any JSON value; undefined when nothing was ever saved, or what was saved is lost. */
  readonly state: unknown;
  /** How many bytes its state has when that is more than {@link STATE_BYTES}: another writer's. */
  readonly oversize?: number;
}

/** Who wrote an entry, when and for which lock: for people, except the name, which shows that the entry belongs here. */
export interface Origin {
  readonly name: string;
  readonly by: string;
  readonly at: number;
}

/** What a message of a register turned out to be. */
export type RegisterMessage =
  | { readonly kind: 'entry'; readonly entry: Entry }
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'foreign'; readonly why: string };

const VERSION = 1;

const fence = z
  .string()
  .regex(/^(0|[1-9]\d{0,18})$/)
  .transform((digits) => BigInt(digits))
  // No token can be made above it.
  .refine((value) => value <= BASE_MAX);

const envelope = z.looseObject({ v: z.int().min(1) });
const entryShape = z.looseObject({
  v: z.literal(VERSION),
  kind: z.literal('state'),
  id: z.uuid(),
  name: z.string(),
  fence,
  seq: z.int().min(0),
  state: z.unknown().optional(),
});

/** The wire form: UTF-8 JSON, the fence in decimal because JSON numbers end at 2^53, no `state` when there is none. */
export function encodeEntry({ id, fence, seq, state }: Entry, { name, by, at }: Origin): Uint8Array {
  return encodeJson({ v: VERSION, kind: 'state', id, name, fence: String(fence), seq, state, by, at });
}

/** Reads any message of the register of lock `name`. Never throws: what it cannot read is a foreign message. */
export function decodeEntry(body: Uint8Array, name: string): RegisterMessage {
  const json = decodeJson(body);
  const head = envelope.safeParse(json);
  if (!head.success) return { kind: 'foreign', why: 'not a message of this protocol' };
  if (head.data.v > VERSION) return { kind: 'newer', version: head.data.v };
  const shape = entryShape.safeParse(json);
  if (!shape.success) return { kind: 'foreign', why: 'malformed state' };
  if (shape.data.name !== name) return { kind: 'foreign', why: 'state of another lock' };
  const { id, seq, state } = shape.data;
  const entry = { id, fence: shape.data.fence, seq, state };
  const bytes = body.length > STATE_BYTES ? sizeOf(state, body) : 0;
  return { kind: 'entry', entry: bytes > STATE_BYTES ? { ...entry, oversize: bytes } : entry };
}

/** What can be parsed may be nested too deeply to be written. */
function sizeOf(state: unknown, body: Uint8Array): number {
  try {
    return Buffer.byteLength(JSON.stringify(state) ?? '', 'utf8');
  } catch {
    return body.length;
  }
}
