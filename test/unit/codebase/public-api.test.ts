import { expect, it } from 'vitest';
import { code, filesOf } from './tree.ts';

const VALUES = [
  'AccessRefusedError',
  'AcquireTimeoutError',
  'BatonError',
  'BrokerUnreachableError',
  'ClosedError',
  'InvalidOptionsError',
  'LeaseLostError',
  'QueueMismatchError',
  'ResourceLimitError',
  'StateError',
  'TokenVersionError',
  'UnsupportedBrokerError',
  'connect',
  'isBatonError',
];

const TYPES = [
  'AcquireOptions',
  'AheadReport',
  'BatonErrorCode',
  'BrokerUrls',
  'CloseOptions',
  'ConnectOptions',
  'Coordinator',
  'ExpiringUrls',
  'GrantMode',
  'Lease',
  'Lock',
  'LockOptions',
  'LockTrace',
  'Logger',
  'LostReason',
  'ReleaseOptions',
  'RunReport',
  'SaveOptions',
  'Schedule',
  'ScheduleOptions',
  'ScheduledRun',
  'ScheduledTask',
  'SeedTrace',
  'SessionState',
  'SessionStateChange',
  'SessionTrace',
  'StartOverTrace',
  'StateSchema',
  'StatefulLockOptions',
  'Task',
];

/** Names of the `export { … } from` statements, types and values apart. */
function exportsOf(text: string): { values: string[]; types: string[] } {
  const values: string[] = [];
  const types: string[] = [];
  for (const [, whole, names = ''] of text.matchAll(/\bexport\s+(type\s+)?\{([^}]*)\}/g)) {
    for (const item of names.split(',').map((name) => name.trim())) {
      if (item === '') continue;
      const name = item.replace(/^type\s+/, '').replace(/^\w+\s+as\s+/, '');
      (whole !== undefined || item.startsWith('type ') ? types : values).push(name);
    }
  }
  return { values: values.sort(), types: types.sort() };
}

const index = () => filesOf(['src/index.ts']).map(code).join();

it('exports exactly these values', async () => {
  expect(Object.keys(await import('../../../src/index.ts')).sort()).toEqual(VALUES);
});

it('exports exactly these types', () => {
  expect(exportsOf(index())).toEqual({ values: VALUES, types: TYPES });
});

it('names every export, one by one', () => {
  const rest = index().replaceAll(/\bexport\s+(?:type\s+)?\{[^}]*\}\s*from\s*'[^']*';/g, '');
  expect(rest.trim()).toBe('');
});

it('tells types from values in a list that has both', () => {
  expect(exportsOf("export { b, type C, d as a } from './x.ts';\nexport type { E } from './y.ts';")).toEqual({
    values: ['a', 'b'],
    types: ['C', 'E'],
  });
});
