import { z } from 'zod';
import { MAX_TIMER_MS } from './clock.ts';
import { InvalidOptionsError } from './errors.ts';

/** The message of a rule: what was expected, and what it got. */
export const expects = (expectation: string) => ({
  error: (issue: { input?: unknown }) => `must be ${expectation}, got ${show(issue.input)}`,
});

export function wholeMs(min: number, max = MAX_TIMER_MS) {
  const message = expects(`a whole number of milliseconds from ${min} to ${max}`);
  return z.number(message).int(message).min(min, message).max(max, message);
}

export const isObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const isFunction = (value: unknown): boolean => typeof value === 'function';

/** Throws {@link InvalidOptionsError} with one sentence for each problem. */
export function parse<T>(schema: z.ZodType<T>, options: unknown, call: string): T {
  const result = schema.safeParse(options ?? {}, { reportInput: true });
  if (result.success) return result.data;
  throw new InvalidOptionsError(
    result.error.issues.map((issue) => {
      if (issue.code === 'unrecognized_keys') return `${call}: unknown option ${issue.keys.join(', ')}`;
      const option = issue.path.length === 0 ? 'options' : issue.path.join('.');
      return `${call}: ${option} ${issue.path.length === 0 ? `must be an object, got ${typeof options === 'string' ? 'a string' : show(options)}` : issue.message}`;
    }),
  );
}

/** A value as an error message shows it: short, and never a secret (strings are cut, objects are named). */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  if (typeof value === 'function') return 'a function';
  return typeof value === 'bigint' ? `${value}n` : String(value);
}
