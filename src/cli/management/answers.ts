import { z } from 'zod';

/**
 * What the management API answers is read by schemas that no answer fails: of a field that is odd nothing is known, and
 * no odd row keeps the others from being shown. Names, tags and arguments in it are words of anybody.
 */

/** The empty text when there is none. */
export const text = z.string().catch('');
export const texts = z.array(text).catch([]);
export const flag = z.boolean().catch(false);
export const number = z.number().optional().catch(undefined);
export const fields = z.record(z.string(), z.unknown()).catch({});

/** An object in a row; one that is missing, or none, is read as if it were empty. */
export function part<Shape extends z.ZodRawShape>(shape: Shape) {
  const schema = z.object(shape);
  return z.preprocess((value) => (isFields(value) ? value : {}), schema);
}

/** The rows of a list; what is no row is left out. */
export function readRows<T>(schema: z.ZodType<T>, answer: unknown): T[] {
  if (!Array.isArray(answer)) return [];
  return answer.flatMap((row) => {
    const read = schema.safeParse(row);
    return read.success ? [read.data] : [];
  });
}

const page = part({ items: z.array(z.unknown()).catch([]), page_count: z.number().catch(0) });

/** One page of a list, and how many there are. */
export function readPage(answer: unknown): { readonly items: readonly unknown[]; readonly pages: number } {
  const { items, page_count: pages } = page.parse(answer);
  return { items, pages };
}

const LAST_INSTANT_MS = 8.64e15;

/** ISO 8601 of epoch milliseconds; null of what is no instant: a client that writes a number may write any. */
export function isoOf(ms: number | undefined): string | null {
  return ms !== undefined && Math.abs(ms) <= LAST_INSTANT_MS ? new Date(ms).toISOString() : null;
}

const isFields = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
