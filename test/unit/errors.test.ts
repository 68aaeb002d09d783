import { describe, expect, test } from 'vitest';
import * as errors from '../../src/errors.ts';

const { BatonError, InvalidOptionsError, isBatonError, LeaseLostError } = errors;

type Make = (options?: { cause?: unknown }) => errors.BatonError;

const ALL: readonly [name: string, code: errors.BatonErrorCode, retryable: boolean, make: Make][] = [
  ['AcquireTimeoutError', 'acquire-timeout', true, (it) => new errors.AcquireTimeoutError('why', it)],
  [
    'LeaseLostError',
    'lease-lost',
    true,
    (it) => new errors.LeaseLostError('why', { reason: 'superseded', ...it }),
  ],
  [
    'BrokerUnreachableError',
    'broker-unreachable',
    true,
    (it) => new errors.BrokerUnreachableError('why', it),
  ],
  [
    'UnsupportedBrokerError',
    'unsupported-broker',
    false,
    (it) => new errors.UnsupportedBrokerError('why', it),
  ],
  ['AccessRefusedError', 'access-refused', false, (it) => new errors.AccessRefusedError('why', it)],
  ['QueueMismatchError', 'queue-mismatch', false, (it) => new errors.QueueMismatchError('why', it)],
  ['ResourceLimitError', 'resource-limit', true, (it) => new errors.ResourceLimitError('why', it)],
  ['TokenVersionError', 'token-version', false, (it) => new errors.TokenVersionError('why', it)],
  ['StateError', 'state', false, (it) => new errors.StateError('why', { problems: ['why'], ...it })],
  ['InvalidOptionsError', 'invalid-options', false, (it) => new errors.InvalidOptionsError(['why'], it)],
  ['ClosedError', 'closed', false, (it) => new errors.ClosedError('why', it)],
];

/** Every error class that there is, by name. */
const CLASSES = Object.entries(errors).flatMap(([name, value]) =>
  value.prototype instanceof BatonError ? [{ name, of: value as unknown as new () => Error }] : [],
);

test('every error class of the package is tested here', () => {
  expect(CLASSES.map(({ name }) => name).toSorted()).toEqual(ALL.map(([name]) => name).toSorted());
});

describe.each(ALL)('%s', (name, code, retryable, make) => {
  test(`has the code ${code} and is ${retryable ? '' : 'not '}retryable`, () => {
    expect(make()).toMatchObject({ code, retryable, message: 'why' });
  });

  test('is an Error, a BatonError and of its own class, and of no other', () => {
    const error = make();
    const classes = CLASSES.filter(({ of }) => error instanceof of).map((its) => its.name);
    expect(classes).toEqual([name]);
    expect(error).toBeInstanceOf(BatonError);
    expect(error).toBeInstanceOf(Error);
    expect(isBatonError(error)).toBe(true);
  });

  test('has its name and message in the first line of the stack, and then the place where it was made', () => {
    const [first, second] = make().stack?.split('\n') ?? [];
    expect(first).toBe(`${name}: why`);
    expect(second).toContain('errors.test.ts');
    expect(String(make())).toBe(`${name}: why`);
  });

  test('keeps its cause, and has none when there is none', () => {
    const cause = new Error('deeper');
    expect(make({ cause }).cause).toBe(cause);
    expect('cause' in make()).toBe(false);
    expect('cause' in make({ cause: undefined })).toBe(false);
  });

  test('shows no name of its own when it is listed: it looks like any error', () => {
    expect(Object.keys(make())).not.toContain('name');
  });
});

test('a lost lease says why, for every reason', () => {
  expect(new LeaseLostError('x', { reason: 'clock-jump' }).reason).toBe('clock-jump');
});

test('invalid options keep one sentence for each problem, and the message has them all', () => {
  const error = new InvalidOptionsError(['one', 'two']);
  expect(error.problems).toEqual(['one', 'two']);
  expect(error.message).toBe('one; two');
});

describe('isBatonError', () => {
  test('knows the errors of a second copy of the package, which instanceof does not', async () => {
    const path = '../../src/errors.ts?second-copy';
    const copy = (await import(/* @vite-ignore */ path)) as typeof errors;
    expect(copy.BatonError).not.toBe(BatonError);
    const theirs = new copy.ClosedError('theirs');
    expect(theirs).not.toBeInstanceOf(BatonError);
    expect(isBatonError(theirs)).toBe(true);
    expect(copy.isBatonError(new errors.ClosedError('ours'))).toBe(true);
  });

  test.each([
    [undefined],
    [null],
    ['closed'],
    [new Error('closed')],
    [{ code: 'closed', retryable: false, name: 'ClosedError' }],
    [Object.assign(new Error('closed'), { code: 'closed' })],
  ])('is not fooled by what only looks like one (%#)', (value) => {
    expect(isBatonError(value)).toBe(false);
  });
});
