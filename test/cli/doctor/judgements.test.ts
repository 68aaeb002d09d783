import { describe, expect, test } from 'vitest';
import { clusterFindings, type Node } from '../../../src/cli/doctor/cluster.ts';
import { consumerTimeoutFindings } from '../../../src/cli/doctor/consumer-timeout.ts';
import type { Finding } from '../../../src/cli/doctor/finding.ts';
import { type Policy, policyFindings } from '../../../src/cli/doctor/policies.ts';
import { slotFindings } from '../../../src/cli/doctor/slots.ts';
import { isSuspicious, type LockQueue, tokenFindings } from '../../../src/cli/doctor/tokens.ts';
import { versionFindings } from '../../../src/cli/doctor/version.ts';

const levels = (findings: readonly Finding[]) => findings.map(({ level }) => level);
const QUEUE = 'baton.default.lock.x';

describe('of policies', () => {
  const policy = (definition: Record<string, unknown>, more: Partial<Policy> = {}): Policy => ({
    vhost: '/',
    name: 'p',
    pattern: '^baton\\.',
    priority: 0,
    applyTo: 'queues',
    definition,
    operator: false,
    ...more,
  });
  const judge = (...policies: Policy[]) => policyFindings(policies, [{ name: QUEUE, leastMs: 15_000 }]);

  test.each([
    ['message-ttl', 60_000, 'problem'],
    ['expires', 60_000, 'problem'],
    ['max-length', 10, 'problem'],
    ['max-length-bytes', 1_000, 'problem'],
    ['delivery-limit', 20, 'problem'],
    ['delivery-limit', -1, 'problem'],
    ['delayed-retry-type', 'all', 'problem'],
    ['delayed-retry-type', 'returned', 'problem'],
    ['delayed-retry-type', 'failed', 'problem'],
    ['consumer-timeout', 14_999, 'problem'],
    ['dead-letter-exchange', 'dlx', 'warning'],
  ])('%s %j on locks is told, with the command that clears it', (key, value, level) => {
    const [finding, ...more] = judge(policy({ [key]: value, 'queue-leader-locator': 'balanced' }));
    expect(more).toEqual([]);
    expect(finding).toMatchObject({ level, fix: 'rabbitmqctl clear_policy -p / p' });
    expect(finding?.says).toContain(`sets ${key} to ${JSON.stringify(value)}`);
  });

  test.each([
    ['delivery-limit', 1_000_000_000],
    ['delayed-retry-type', 'disabled'],
    ['consumer-timeout', 15_000],
    ['queue-leader-locator', 'balanced'],
  ])('%s %j does no harm', (key, value) => {
    expect(levels(judge(policy({ [key]: value })))).toEqual(['ok']);
  });

  test('one for other queues, or for exchanges, does no harm', () => {
    const ttl = { 'message-ttl': 1 };
    expect(levels(judge(policy(ttl, { pattern: '^orders' }), policy(ttl, { applyTo: 'exchanges' })))).toEqual(
      ['ok'],
    );
  });

  test('only the one of the highest priority is in force', () => {
    const harmless = policy({ 'queue-leader-locator': 'balanced' }, { name: 'top', priority: 2 });
    expect(levels(judge(policy({ expires: 1 }, { priority: 1 }), harmless))).toEqual(['ok']);
    expect(levels(judge(policy({ expires: 1 }, { priority: 3 }), harmless))).toEqual(['problem']);
  });

  test('an operator policy is in force beside a policy, and has a command of its own', () => {
    const findings = judge(
      policy({}, { priority: 9 }),
      policy({ expires: 1 }, { operator: true, name: 'ops' }),
    );
    expect(findings).toMatchObject([{ level: 'problem', fix: 'rabbitmqctl clear_operator_policy -p / ops' }]);
  });

  test('a consumer timeout between a proof and a refresh of state does harm to locks with state alone', () => {
    const minute = policy({ 'consumer-timeout': 60_000 });
    const register = { name: 'baton.default.state.x', leastMs: 600_000 };
    expect(levels(judge(minute))).toEqual(['ok']);
    expect(levels(policyFindings([minute], [{ name: QUEUE, leastMs: 15_000 }, register]))).toEqual([
      'problem',
    ]);
  });

  test('a name is quoted for the shell', () => {
    const [finding] = judge(policy({ expires: 1 }, { name: "p'; reboot" }));
    expect(finding?.fix).toBe(String.raw`rabbitmqctl clear_policy -p / 'p'\''; reboot'`);
  });

  test('a pattern that JavaScript cannot read is taken to match', () => {
    expect(levels(judge(policy({ expires: 1 }, { pattern: '(?i)^BATON' })))).toEqual(['problem']);
  });
});

describe('of queues', () => {
  const queue = (more: Partial<LockQueue> = {}): LockQueue => ({
    name: QUEUE,
    part: 'lock',
    lock: 'x',
    type: 'quorum',
    singleActiveConsumer: true,
    ready: 1,
    unacknowledged: 0,
    used: false,
    members: 3,
    online: 3,
    ...more,
  });
  const judge = (...queues: LockQueue[]) => tokenFindings(queues, { vhost: 'v', namespace: 'ns' });

  test.each([
    ['free', queue()],
    ['held', queue({ ready: 0, unacknowledged: 1, used: true })],
    ['with one of three members down', queue({ online: 2 })],
  ])('one that is %s is in order', (_, it) => {
    expect(isSuspicious(it)).toBe(false);
    expect(levels(judge(it))).toEqual(['ok']);
  });

  test.each([
    [
      'without a token while somebody waits',
      queue({ ready: 0, used: true }),
      'warning',
      'baton break x --namespace ns --yes',
    ],
    ['without a token and without anybody', queue({ ready: 0 }), 'note', undefined],
    ['with two', queue({ ready: 1, unacknowledged: 1, used: true }), 'note', undefined],
    [
      'that the broker shows to nobody else',
      queue({ type: 'classic', problem: 'RESOURCE_LOCKED' }),
      'problem',
      'rabbitmqctl list_queues -p v name type exclusive owner_pid state',
    ],
    ['of another kind', queue({ type: 'classic' }), 'problem', `rabbitmqctl delete_queue -p v ${QUEUE}`],
    [
      'that any number may consume',
      queue({ singleActiveConsumer: false }),
      'problem',
      `rabbitmqctl delete_queue -p v ${QUEUE}`,
    ],
    [
      'without a majority',
      queue({ online: 1 }),
      'problem',
      `rabbitmq-queues quorum_status --vhost v ${QUEUE}`,
    ],
    [
      'of which nothing is ever counted',
      queue({ ready: 0, unacknowledged: undefined }),
      'problem',
      'baton break x --namespace ns --yes',
    ],
    [
      'that is a register of which nothing is ever counted',
      queue({ part: 'register', ready: 0, unacknowledged: undefined }),
      'problem',
      `rabbitmqctl delete_queue -p v ${QUEUE}`,
    ],
  ])('one %s is told', (_, it, level, fix) => {
    expect(judge(it)).toMatchObject([{ level }]);
    expect(judge(it)[0]?.fix).toBe(fix);
  });

  test('one in use that is too young to be known is looked at again, and given credit', () => {
    const young = queue({ ready: 0, unacknowledged: undefined, used: true });
    expect(isSuspicious(young)).toBe(true);
    expect(levels(judge(young))).toEqual(['ok']);
  });

  test('what has no token, or two, is looked at again before it is believed', () => {
    expect(
      [queue({ ready: 0 }), queue({ ready: 2 }), queue({ ready: 0, type: 'classic' })].map(isSuspicious),
    ).toEqual([true, true, false]);
  });

  test('a register may be empty or hold several, but not be unheard of', () => {
    const register = (more: Partial<LockQueue>) => queue({ part: 'register', ...more });
    const states = [{ ready: 0 }, { ready: 3 }, { used: true, unacknowledged: 2 }].map(register);
    expect(states.map(isSuspicious)).toEqual([false, false, false]);
    expect(levels(judge(...states))).toEqual(['ok']);
    expect(isSuspicious(register({ ready: 0, unacknowledged: undefined }))).toBe(true);
  });

  test('a lock’s name is quoted for the shell', () => {
    expect(judge(queue({ lock: "it's $HOME", ready: 0, used: true }))[0]?.fix).toBe(
      "baton break 'it'\\''s $HOME' --namespace ns --yes",
    );
  });

  test('what is the same of many is one finding with a few names, and no command where nothing is to be done', () => {
    const twice = Array.from({ length: 25 }, (_, n) => queue({ lock: `job-${n}`, ready: 2 }));
    const findings = judge(...twice, queue({ lock: 'dry', ready: 0 }));
    expect(findings.map(({ level, fix, all }) => [level, fix, all?.length])).toEqual([
      ['note', undefined, 25],
      ['note', undefined, undefined],
    ]);
    expect(findings[0]?.says).toMatch(
      /^25 alike \(lock "job-0", lock "job-1", lock "job-2" and 22 more\): each has more than one message .* needs nothing$/,
    );
    expect(findings[1]?.says).toMatch(/^lock "dry" has no token/);
  });

  test.each<[string, readonly string[], RegExp | undefined]>([
    ['slots of one number', ['slot.1-of-8', 'slot.3-of-8'], undefined],
    ['plain names', ['lock.a', 'lock.b'], undefined],
    ['slots, and doctor’s own lock', ['slot.1-of-8', 'lock.baton-doctor@web-1'], undefined],
    ['slots and plain names', ['slot.1-of-8', 'lock.a'], /with 8 slots \(.*\), without slots \(/],
    ['two numbers of slots', ['slot.1-of-8', 'slot.1-of-16'], /with 8 slots \(.*\), with 16 slots \(/],
  ])('%s in one namespace', (_, names, says) => {
    const queues = names.map((rest) =>
      queue({
        name: `baton.ns.${rest}`,
        lock: rest.startsWith('lock.') ? rest.slice(5) : `baton.ns.${rest}`,
      }),
    );
    const findings = slotFindings(queues);
    expect(levels(findings)).toEqual(says === undefined ? [] : ['warning']);
    if (says !== undefined) expect(findings[0]?.says).toMatch(says);
  });

  test('more than 5,000 are worth a warning', () => {
    const many = Array.from({ length: 5_001 }, () => queue());
    expect(levels(judge(...many))).toEqual(['warning']);
  });
});

describe('of the cluster', () => {
  const node = (name: string, more: Partial<Node> = {}): Node => ({
    name,
    running: true,
    memoryAlarm: false,
    diskAlarm: false,
    partitions: [],
    ...more,
  });
  const three = [node('a'), node('b'), node('c')];
  const worries = (nodes: readonly Node[], raft: boolean) =>
    clusterFindings(nodes, raft ? 'raft' : 'mnesia')
      .filter(({ level }) => level !== 'ok')
      .map(({ check, level }) => `${check} ${level}`);

  test.each<[string, readonly Node[], boolean, string[]]>([
    ['three nodes with Khepri', three, true, []],
    ['three nodes with Mnesia', three, false, ['partitions warning']],
    ['a partition', [node('a', { partitions: ['b'] }), node('b'), node('c')], false, ['partitions problem']],
    ['one node', [node('a')], false, ['nodes note']],
    ['two nodes', [node('a'), node('b')], true, ['nodes warning']],
    ['a node that is down', [...three.slice(1), node('a', { running: false })], true, ['nodes warning']],
    ['a memory alarm', [node('a', { memoryAlarm: true }), ...three.slice(1)], true, ['alarms warning']],
    ['a disk alarm', [node('a', { diskAlarm: true }), ...three.slice(1)], true, ['alarms warning']],
  ])('%s', (_, nodes, khepri, expected) => {
    expect(worries(nodes, khepri)).toEqual(expected);
  });

  test('nobody is to delete a lock while a node is away', () => {
    const found = clusterFindings([...three.slice(1), node('a', { running: false })], 'raft');
    expect(found.find(({ check }) => check === 'nodes')?.says).toContain('Delete no lock until it is back');
  });

  test('Khepri is proposed only where there is one', () => {
    const [, mnesia] = clusterFindings(three, 'mnesia');
    const [, couldBe] = clusterFindings(three, 'could-be-raft');
    expect([mnesia?.fix, couldBe?.fix].map((fix) => fix?.includes('khepri_db'))).toEqual([false, true]);
  });
});

describe('of consumer timeouts', () => {
  test.each<[string, number | undefined, number | undefined, string[]]>([
    ['that nobody tells', undefined, undefined, ['note']],
    ['of the default', 1_800_000, 1_800_000, ['ok', 'ok']],
    ['of a lease', 15_000, undefined, ['ok']],
    ['of less than a lease', 14_999, undefined, ['problem']],
    ['long enough for proofs, and too short for the refresh of state', 60_000, 60_000, ['ok', 'problem']],
    ['of two refreshes', undefined, 600_000, ['ok']],
  ])('%s', (_, locks, registers, expected) => {
    expect(levels(consumerTimeoutFindings({ locks, registers }, 15_000))).toEqual(expected);
  });
});

describe('of versions', () => {
  test.each<[readonly [number, number, number], RegExp[]]>([
    [
      [3, 13, 7],
      [/forget a waiter/, /Below RabbitMQ 4\.3/],
    ],
    [[3, 10, 8], [/Below RabbitMQ 4\.3/]],
    [[4, 0, 5], [/Below RabbitMQ 4\.3/]],
    [[4, 2, 9], [/Below RabbitMQ 4\.3/]],
    [[4, 3, 0], [/#17317/]],
    [[4, 3, 6], [/#17317/]],
    [[4, 3, 7], []],
    [[5, 0, 0], []],
  ])('%j', (version, notes) => {
    const [known, ...rest] = versionFindings(version);
    expect(known).toEqual({ check: 'version', level: 'ok', says: `RabbitMQ ${version.join('.')}` });
    expect(rest.map(({ says }) => says)).toEqual(notes.map((note) => expect.stringMatching(note)));
  });
});
