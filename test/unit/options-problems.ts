import { expect } from 'vitest';
import { InvalidOptionsError } from '../../src/errors.ts';

/** The sentences that a call is refused with. */
export function problems(call: () => unknown): readonly string[] {
  try {
    return expect.fail(`accepted, with ${String(call())}`);
  } catch (error) {
    if (!(error instanceof InvalidOptionsError)) throw error;
    expect(error.message).toBe(error.problems.join('; '));
    return error.problems;
  }
}

export const IDLE_EXPIRY = `must be a whole number of milliseconds from 10000 to ${2 ** 31 - 1}, or Infinity`;
export const GRANT = "must be 'auto', 'verified' or 'immediate'";
export const ms = (min: number) => `must be a whole number of milliseconds from ${min} to ${2 ** 31 - 1}`;
