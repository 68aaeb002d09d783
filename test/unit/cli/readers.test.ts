import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Facts } from '../../../src/cli/doctor/facts.ts';
import { policyFindings } from '../../../src/cli/doctor/policies.ts';
import { connectionsIn } from '../../../src/cli/locks/connections.ts';
import { consumersIn } from '../../../src/cli/locks/consumers.ts';
import { isoOf, readPage } from '../../../src/cli/management/answers.ts';
import type { Management } from '../../../src/cli/management/client.ts';
import { ago } from '../../../src/cli/table.ts';

const NAMES = [
  'name,consumer_tag,active,arguments,queue,channel_details,connection_name,node,connected_at,client_properties',
  'baton_label,items,page_count,running,mem_alarm,partitions,pattern,apply-to,definition,priority,type,members',
  'online,messages_unacknowledged,consumer_timeout,x-priority,fence,since,consumer,state,__proto__,toString',
].flatMap((line) => line.split(','));
const WORDS = [
  'baton.ns.lock.x',
  'baton.ns.notices.1',
  'baton.ns.slot.1-of-2',
  'a@b/1/01b8dac5b47b3d4e5f/%E4',
  '5',
];

/** JSON of any shape, in which the names and words that are looked for are common. */
const ANSWERS = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.constantFrom<unknown>(null, true, 1e300, -1, 8.7e15, ...WORDS), fc.string(), fc.double()),
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .array(fc.tuple(fc.constantFrom(...NAMES), tie('value')), { maxLength: 12 })
      .map((entries) => Object.fromEntries(entries)),
  ),
})).value;
const RUNS = { numRuns: 500 };

test('no answer of the management API makes a reader throw', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(ANSWERS, fc.array(ANSWERS)), async (answer) => {
      const { contestants, notices } = consumersIn(answer, 'ns');
      for (const { since } of notices) ago(isoOf(since));
      for (const { claim } of contestants) ago(isoOf(claim?.since));
      for (const { label, since } of connectionsIn(answer).values()) expect([label, since]).toHaveLength(2);
      for (const item of readPage(answer).items) consumersIn(item, 'ns');
      const management = { vhost: '%2F', get: async () => answer, list: async () => [answer].flat() };
      const session = { state: 'open', look: async () => ({ ready: 1, consumers: 0 }) };
      const facts = new Facts(management as unknown as Management);
      await facts.nodes();
      await facts.metadata([4, 0, 5]);
      await facts.consumerTimeouts('ns');
      await facts.lockQueues('ns', session as never, new Set());
      policyFindings((await facts.policies()) ?? [], [{ name: 'baton.ns.lock.x', leastMs: 1 }]);
    }),
    RUNS,
  );
});

test('no number is too large to be a time', () => {
  fc.assert(
    fc.property(fc.double(), (ms) => {
      const iso = isoOf(ms);
      expect(ago(iso)).toMatch(iso === null ? /^\?$/ : /^[+-]?\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\dZ, /);
    }),
    RUNS,
  );
});
