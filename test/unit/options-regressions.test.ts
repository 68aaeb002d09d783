import { describe, expect, test } from 'vitest';
import { InvalidOptionsError } from '../../src/errors.ts';
import { parseConnectOptions } from '../../src/options.ts';

function problems(options: unknown): readonly string[] {
  try {
    parseConnectOptions(options);
    return [];
  } catch (error) {
    if (error instanceof InvalidOptionsError) return error.problems;
    throw error;
  }
}

describe('an option that is bad by itself', () => {
  test('heartbeatMs is told in one sentence: leaseMs, which nobody gave, is not compared with it', () => {
    expect(problems({ heartbeatMs: 0 })).toHaveLength(1);
    expect(problems({ heartbeatMs: 1_500 })).toHaveLength(1);
  });

  test('leaseMs is told in one sentence: verifyEveryMs, which nobody gave, is not compared with it', () => {
    expect(problems({ leaseMs: 299 })).toHaveLength(1);
  });
});

describe('socketOptions', () => {
  test('take any object, as their type says, and not only a plain one', () => {
    class Secured {
      readonly servername = 'rabbit';
    }
    expect(problems({ socketOptions: new Secured() })).toEqual([]);
  });
});

describe('an error about options', () => {
  test('never shows the password of a URL that was passed in their place', () => {
    expect(problems('amqp://me:hunter2@rabbit').join()).not.toContain('hunter2');
  });
});
