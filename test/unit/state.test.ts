import { expect, test } from 'vitest';
import { z } from 'zod';
import { checkState } from '../../src/state.ts';

const refusal = (value: unknown) =>
  checkState(z.unknown(), value, 'jobs').then(
    ({ json }) => json,
    (error: { code: string; problems: string[] }) => [error.code, ...error.problems],
  );

test.each<[string, unknown, string]>([
  ['NaN', { a: [1, Number.NaN] }, 'a.1: must be a finite number, got NaN'],
  ['Infinity', Number.POSITIVE_INFINITY, 'must be a finite number, got Infinity'],
  ['an integer that other writers round', { id: 2 ** 53 }, 'id: must be a string or a whole number'],
  ['a hole', { a: [1, undefined] }, 'a.1: must be JSON, got undefined'],
  ['a function', { a: () => {} }, 'a: must be JSON, got a function'],
  ['a symbol', { a: Symbol('x') }, 'a: must be JSON, got a symbol'],
  ['a Map', { a: new Map([[1, 2]]) }, 'a: must be JSON, got a Map'],
  ['a Set', new Set([1]), 'must be JSON, got a Set'],
  ['a bigint', { a: 1n }, 'must be JSON'],
])('what JSON would change without a word is refused by its path: %s', async (_what, value, problem) => {
  expect(await refusal(value)).toEqual(['state', expect.stringContaining(problem)]);
});

test.each([
  ['the largest whole number', { n: Number.MAX_SAFE_INTEGER }, { n: Number.MAX_SAFE_INTEGER }],
  ['fractions', [0.1, 1e-9], [0.1, 1e-9]],
  ['a property that is undefined', { a: undefined, b: 1 }, { b: 1 }],
  ['a Date, which the schema judges', { at: new Date(0) }, { at: '1970-01-01T00:00:00.000Z' }],
])('what it keeps is taken: %s', async (_what, value, json) => {
  expect(await refusal(value)).toEqual(json);
});
