import { expect, test } from 'vitest';
import { impossibleAmong, type Member, strangersAmong } from './members.ts';

const member = (node: string, rest: Partial<Member> = {}): Member => ({
  node,
  leads: node === 'n1',
  applied: 20,
  digest: 'same',
  recorded: true,
  ...rest,
});
const cluster = (...third: Partial<Member>[]) => [
  member('n1', third[2]),
  member('n2', third[1]),
  member('n3', third[0]),
];

test('members that made the same of the same entries are of one history', () => {
  expect(strangersAmong(cluster())).toEqual([]);
});

test('the one that made something else of the same number of entries is a stranger, also when it leads', () => {
  expect(strangersAmong(cluster({ digest: 'other' }))).toEqual(['n3']);
  expect(strangersAmong(cluster({}, {}, { digest: 'other' }))).toEqual(['n1']);
});

test('of two halves the one without the leader is', () => {
  expect(strangersAmong([member('n1'), member('n3', { digest: 'other' })])).toEqual(['n3']);
  expect(strangersAmong(cluster({ digest: 'other' }, { digest: 'third' }))).toEqual(['n2', 'n3']);
});

test('the one that the record of the queue does not mean is, whatever it says', () => {
  expect(strangersAmong(cluster({ recorded: false }))).toEqual(['n3']);
  expect(strangersAmong(cluster({ recorded: false, applied: 7 }))).toEqual(['n3']);
});

test('members at different entries cannot be compared', () => {
  expect(strangersAmong(cluster({ applied: 19, digest: 'other' }))).toBeUndefined();
  expect(strangersAmong(cluster({ applied: undefined }))).toBeUndefined();
});

test('nobody is ahead of the leader for long, or does not run', () => {
  expect(impossibleAmong(cluster({ applied: 22 }))).toEqual(['n3']);
  expect(impossibleAmong(cluster({ applied: undefined }))).toEqual(['n3']);
  expect(impossibleAmong(cluster({ applied: 19 }))).toBeUndefined();
  expect(impossibleAmong(cluster({}, {}, { applied: undefined }))).toBeUndefined();
});
