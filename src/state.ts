import { StateError } from './errors.ts';
import { STATE_BYTES } from './protocol/register/entry.ts';
import { isFunction, isObject } from './validation.ts';

type Result<T> =
  | { readonly value: T; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string;
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
      }[];
    };

/**
 * Any schema that implements Standard Schema 1 (standardschema.dev): zod 3.24 and newer, valibot, arktype. The type is
 * written out here, so that no such library is needed for it.
 */
export interface StateSchema<T> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Result<T> | Promise<Result<T>>;
    readonly types?: { readonly input: unknown; readonly output: T } | undefined;
  };
}

/** Function or object: arktype's schemas are functions. */
export function isStandardSchema(value: unknown): boolean {
  if (!isObject(value) && !isFunction(value)) return false;
  const { '~standard': standard } = value as Record<string, unknown>;
  return isObject(standard) && isFunction((standard as Record<string, unknown>).validate);
}

/** Reads what an earlier holder saved. Throws StateError when it does not fit the schema. */
export async function readState<T>(schema: StateSchema<T>, json: unknown, lock: string): Promise<T> {
  const result = await schema['~standard'].validate(json);
  if (result.issues === undefined) return result.value;
  const problems = result.issues.map(describe);
  throw new StateError(
    `the state of lock ${JSON.stringify(lock)} does not fit its schema: ${problems.join('; ')}. It was left as it is`,
    { problems },
  );
}

/**
 * Makes sure that the next holder can read `value`: it is read back from its own JSON with the schema. Returns the
 * JSON value to save and what was read. Throws StateError.
 */
export async function checkState<T>(
  schema: StateSchema<T>,
  value: T,
  lock: string,
): Promise<{ json: unknown; state: T }> {
  const refuse = (problem: string, cause?: unknown): never => {
    const message = `cannot save the state of lock ${JSON.stringify(lock)}: ${problem}`;
    throw new StateError(message, { problems: [problem], cause });
  };
  const text = stringify(value, refuse);
  const bytes = Buffer.byteLength(text, 'utf8');
  if (bytes > STATE_BYTES) refuse(`must be at most ${STATE_BYTES} bytes of JSON, got ${bytes}`);
  const json: unknown = JSON.parse(text);
  const change = changeIn(value, []);
  if (change !== undefined) refuse(change);
  const result = await schema['~standard'].validate(json);
  if (result.issues === undefined) return { json, state: result.value };
  const problems = result.issues.map(describe);
  const message = `cannot save the state of lock ${JSON.stringify(lock)}, because as JSON it does not fit the schema: ${problems.join('; ')}`;
  throw new StateError(message, { problems });
}

function stringify(value: unknown, refuse: (problem: string, cause?: unknown) => never): string {
  try {
    return JSON.stringify(value) ?? refuse(`must be JSON, got ${typeof value}`);
  } catch (error) {
    if (error instanceof StateError) throw error;
    return refuse('must be JSON', error);
  }
}

/**
 * The first thing that JSON would change without a word, by its path. What a toJSON makes of itself (a Date) is for the
 * schema to judge, and a property that is undefined is left out as ever.
 */
function changeIn(value: unknown, path: readonly PropertyKey[]): string | undefined {
  const at = path.length === 0 ? '' : `${path.map(String).join('.')}: `;
  switch (typeof value) {
    case 'number':
      if (!Number.isFinite(value)) return `${at}must be a finite number, got ${value}`;
      if (!Number.isInteger(value) || Number.isSafeInteger(value)) return undefined;
      return `${at}must be a string or a whole number from -(2^53 - 1) to 2^53 - 1, which JSON keeps everywhere, got ${value}`;
    case 'function':
    case 'symbol':
      return `${at}must be JSON, got a ${typeof value}`;
    case 'object':
      break;
    default:
      return undefined;
  }
  if (value === null || typeof (value as { toJSON?: unknown }).toJSON === 'function') return undefined;
  if (value instanceof Map || value instanceof Set)
    return `${at}must be JSON, got a ${value.constructor.name}`;
  if (!Array.isArray(value)) return firstChange(Object.entries(value), path);
  const hole = Array.from(value).indexOf(undefined);
  if (hole !== -1) return `${[...path, hole].map(String).join('.')}: must be JSON, got undefined`;
  return firstChange([...value.entries()], path);
}

function firstChange(
  entries: readonly (readonly [PropertyKey, unknown])[],
  path: readonly PropertyKey[],
): string | undefined {
  for (const [key, value] of entries) {
    const change = changeIn(value, [...path, key]);
    if (change !== undefined) return change;
  }
  return undefined;
}

function describe({ message, path }: Extract<Result<unknown>, { issues: object }>['issues'][number]): string {
  const keys = (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
  return keys.length === 0 ? message : `${keys.join('.')}: ${message}`;
}
