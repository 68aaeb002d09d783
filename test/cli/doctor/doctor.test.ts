import { hostname } from 'node:os';
import { connect as connectAmqp } from 'amqplib';
import { expect, onTestFinished, test } from 'vitest';
import type { Finding } from '../../../src/cli/doctor/finding.ts';
import { lockQueueName } from '../../../src/protocol/queues.ts';
import { BROKER, batonResult, coordinator } from '../support/baton.ts';
import { control, management, namespace, queueExists, withChannel } from '../support/queues.ts';

interface Report {
  readonly code: number | null;
  readonly worst: string;
  readonly findings: readonly Finding[];
}

async function doctor(ns: string, ...args: string[]): Promise<Report> {
  const run = await batonResult(['doctor', '--json', '--namespace', ns, ...management(), ...args]);
  expect(run.stderr).toBe('');
  return { code: run.code, ...(JSON.parse(run.stdout) as Omit<Report, 'code'>) };
}

/** The findings of a check that want something done. */
const worries = ({ findings }: Report, check: string) =>
  findings.filter((it) => it.check === check && it.level !== 'ok');

/** What changes the exit code. */
const pressing = ({ findings }: Report) =>
  findings.filter(({ level }) => level === 'warning' || level === 'problem');

/** Carries out what a finding says: `rabbitmqctl …` or `baton …`, words that may be quoted. */
async function carryOut(fix: string | undefined): Promise<void> {
  const [program, ...args] = [...(fix ?? '').matchAll(/'([^']*)'|(\S+)/g)].map(
    ([, quoted, plain]) => quoted ?? plain ?? '',
  );
  if (program === 'rabbitmqctl') await control().ctl(...args);
  else expect((await batonResult(args)).code).toBe(0);
}

test('a broker in good order: every check is made, nothing is left behind, and the code is 0', async () => {
  const ns = namespace();
  const it = await coordinator({ namespace: ns });
  await (await it.lock('x').acquire()).release();
  const report = await doctor(ns);
  expect(pressing(report)).toEqual([]);
  expect(report.code).toBe(0);
  const checks = [
    'version',
    'heartbeat',
    'permissions',
    'latency',
    'alarms',
    'partitions',
    'nodes',
    'policies',
    'consumer-timeout',
    'tokens',
  ];
  expect([...new Set(report.findings.map(({ check }) => check))]).toEqual(checks);
  expect(report.findings.find(({ check }) => check === 'latency')?.says).toMatch(
    /^connect [\d.]+ ms, acquire [\d.]+ ms, proof [\d.]+ ms, release [\d.]+ ms$/,
  );
  expect(await queueExists(lockQueueName(ns, `baton-doctor@${hostname()}`))).toBe(false);
});

test('is told in lines for people as well', async () => {
  const { code, stdout } = await batonResult(['doctor', '--namespace', namespace(), ...management()]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^ok {7}version {10}RabbitMQ \d+\.\d+\.\d+\n/);
  expect(stdout).toMatch(/\nok {7}permissions {6}user 'guest' may make, hold and mend the locks/);
});

test.each<[string, Record<string, number>, (...args: string[]) => Promise<string>]>([
  [
    'A policy',
    { 'message-ttl': 3_600_000, 'max-length': 5, 'delivery-limit': 20 },
    (...args) => control().ctl('set_policy', ...args),
  ],
  ['An operator policy', { expires: 3_600_000 }, (...args) => control().ctl('set_operator_policy', ...args)],
])('%s that could destroy a token is a problem, and its command mends it', async (what, definition, set) => {
  const ns = namespace();
  const name = `danger-${ns}`;
  await set(name, `^baton\\.${ns}\\.`, JSON.stringify(definition), '--apply-to', 'queues');
  const report = await doctor(ns);
  const findings = worries(report, 'policies');
  expect(report.code).toBe(2);
  for (const key of Object.keys(definition)) {
    const says = new RegExp(`^${what.replace(/^An? /, '')} "${name}" .* sets ${key} to`);
    expect(findings).toContainEqual(
      expect.objectContaining({ level: 'problem', says: expect.stringMatching(says) }),
    );
  }
  await carryOut(findings[0]?.fix);
  expect((await doctor(ns)).code).toBe(0);
});

test('a broker whose heartbeat is too short for the lease is told, with what would fit', async () => {
  const heartbeat = Number(await control().eval('element(2, application:get_env(rabbit, heartbeat))'));
  onTestFinished(
    async () => void (await control().eval(`application:set_env(rabbit, heartbeat, ${heartbeat})`)),
  );
  await control().eval('application:set_env(rabbit, heartbeat, 3)');
  const { code, findings } = await doctor(namespace());
  expect(code).toBe(64);
  expect(findings).toMatchObject([{ check: 'connection', level: 'problem' }]);
  expect(findings[0]?.says).toMatch(/--lease.*heartbeat/);
  expect((await doctor(namespace(), '--lease', '5s', '--verify-every', '2s')).code).toBe(0);
});

test('a memory alarm is a warning', async () => {
  onTestFinished(() => control().clearMemoryAlarm());
  await control().raiseMemoryAlarm();
  const report = await doctor(namespace());
  expect(report.code).toBe(1);
  expect(worries(report, 'alarms').map(({ level }) => level)).toContain('warning');
  expect(report.findings.some(({ check }) => check === 'latency')).toBe(false);
});

test('a lock without a token for which somebody waits is a warning, and its command mends it', async () => {
  const ns = namespace();
  const it = await coordinator({ namespace: ns });
  await (await it.lock('x').acquire()).release();
  await control().purge(lockQueueName(ns, 'x'));
  // A client in line that does not mend it yet.
  const amqp = await connectAmqp(BROKER.url);
  onTestFinished(() => amqp.close());
  const channel = await amqp.createChannel();
  await channel.consume(lockQueueName(ns, 'x'), () => {});
  const report = await doctor(ns);
  const [finding] = worries(report, 'tokens');
  expect(report.code).toBe(1);
  expect(finding?.says).toMatch(/^lock "x" has no token, and somebody waits for it/);
  await carryOut(finding?.fix);
  // It may not have been told, when the queue was back at once (3.10.8), and would be a finding of its own then.
  await channel.close();
  const lease = await it.lock('x').acquire({ timeoutMs: 10_000 });
  await lease.release();
  expect(pressing(await doctor(ns))).toEqual([]);
});

test('a lock that was handed to somebody who does not say so is told, and one that is held is not', async () => {
  const ns = namespace();
  const it = await coordinator({ namespace: ns });
  await (await it.lock('told').acquire()).release();
  await (await it.lock('untold').acquire()).release();
  const lease = await it.lock('told').acquire();
  onTestFinished(() => lease.release());
  const amqp = await connectAmqp(BROKER.url);
  onTestFinished(() => amqp.close());
  const channel = await amqp.createChannel();
  await new Promise<void>((resolve) => {
    void channel.consume(lockQueueName(ns, 'untold'), () => resolve(), { consumerTag: 'somebody' });
  });
  const show = ['show', 'untold', '--json', '--namespace', ns, ...management()];
  await expect
    .poll(() => batonResult(show).then(({ stdout }) => stdout), { timeout: 20_000 })
    .toContain('"somebody"');
  const report = await doctor(ns, '--lease', '3s', '--verify-every', '1s');
  const [finding, ...more] = worries(report, 'line');
  expect(more).toEqual([]);
  expect(finding).toMatchObject({ level: 'note' });
  expect(finding?.says).toMatch(/^lock "untold" was handed to somebody, who has not told that it holds it/);
  expect(report.code).toBe(0);
});

test('a second message behind a token is told, and does not change the code', async () => {
  const ns = namespace();
  const it = await coordinator({ namespace: ns });
  await (await it.lock('x').acquire()).release();
  await withChannel(async (channel) => {
    channel.sendToQueue(lockQueueName(ns, 'x'), Buffer.from('a foreign message'), { persistent: true });
    await channel.waitForConfirms();
  });
  const report = await doctor(ns);
  expect(worries(report, 'tokens')).toMatchObject([{ level: 'note' }]);
  expect(worries(report, 'tokens')[0]?.says).toMatch(/^lock "x" has more than one message/);
  expect(worries(report, 'tokens')[0]?.fix).toBeUndefined();
  expect(report.code).toBe(0);
});

test('callers who do not agree on slots, and a consumer with a priority, are a warning each', async () => {
  const ns = namespace();
  await (await coordinator({ namespace: ns })).lock('x').acquire();
  await (await (await coordinator({ namespace: ns, slots: 4 })).lock('x').acquire()).release();
  const amqp = await connectAmqp(BROKER.url);
  onTestFinished(() => amqp.close());
  const options = { consumerTag: 'pushy', priority: 5 };
  await (await amqp.createChannel()).consume(lockQueueName(ns, 'x'), () => {}, options);
  const show = ['show', 'x', '--json', '--namespace', ns, ...management()];
  await expect
    .poll(() => batonResult(show).then(({ stdout }) => stdout), { timeout: 20_000 })
    .toContain('"pushy"');
  const report = await doctor(ns, '--lease', '3s', '--verify-every', '1s');
  expect(worries(report, 'slots')).toMatchObject([{ level: 'warning' }]);
  expect(worries(report, 'slots')[0]?.says).toMatch(
    /without slots .*with 4 slots .* can hold the same lock at once/,
  );
  expect(worries(report, 'priority')).toMatchObject([{ level: 'warning' }]);
  expect(worries(report, 'priority')[0]?.says).toMatch(
    /^lock "x" has consumer pushy with x-priority 5 \(connection .*->.*\).* Take x-priority out/,
  );
  expect(report.code).toBe(1);
});

test('a queue under the name of a lock that is none is a problem, and its command mends it', async () => {
  const ns = namespace();
  await withChannel((channel) => channel.assertQueue(lockQueueName(ns, 'x'), { durable: true }));
  const report = await doctor(ns);
  const [finding] = worries(report, 'tokens');
  expect(report.code).toBe(2);
  expect(finding?.says).toMatch(/^lock "x" is a classic queue/);
  await carryOut(finding?.fix);
  expect((await doctor(ns)).code).toBe(0);
});

test.each([
  ['nothing but read', { configure: '^$', write: '^$', read: '^baton\\.' }, 1, /lacks configure .*; write /],
  ['no read', { configure: '^baton\\.', write: '^amq\\.default$', read: '^$' }, 2, /lacks read /],
])('a user with %s is told what is missing, and the command gives it', async (_, permissions, code, says) => {
  const user = `cli-doctor-${code}`;
  await control().addUser(user, 'secret', permissions);
  const { host } = new URL(BROKER.url);
  const ns = namespace();
  const as = ['doctor', '--json', '--namespace', ns, '--url', `amqp://${user}:secret@${host}`];
  const admin = ['--management-url', BROKER.managementUrl?.replace('://', '://guest:guest@') ?? ''];
  const run = await batonResult([...as, ...admin]);
  expect(run.code).toBe(code);
  const { findings } = JSON.parse(run.stdout) as Report;
  const finding = findings.find(({ check }) => check === 'permissions');
  expect(finding?.says).toMatch(says);
  await carryOut(finding?.fix);
  expect((await batonResult([...as, ...admin])).code).toBe(0);
});

test('a broker that does not answer is a finding, and the code is that of other commands', async () => {
  const { code, stdout } = await batonResult([
    'doctor',
    '--json',
    ...['--url', 'amqp://127.0.0.1:1', '--connect-timeout', '1s'],
  ]);
  expect(code).toBe(69);
  expect(JSON.parse(stdout)).toMatchObject({ worst: 'problem', findings: [{ check: 'connection' }] });
});

test('without the management API it examines what AMQP shows, and says what it left out', async () => {
  const nowhere = ['--management-url', 'http://127.0.0.1:1', '--namespace', namespace()];
  const { code, stdout } = await batonResult(['doctor', '--json', ...nowhere]);
  expect(code).toBe(0);
  const { findings } = JSON.parse(stdout) as Report;
  expect(findings.map(({ check }) => check)).toEqual(
    expect.arrayContaining(['version', 'permissions', 'latency', 'management']),
  );
  expect(findings.at(-1)?.says).toMatch(
    /^not looked at \(alarms and nodes, locks, policies, operator policies, consumer timeouts\): /,
  );
});

test('a user with too few connections is told so, and not that there is an alarm', async () => {
  const user = 'cli-doctor-limits';
  await control().addUser(user, 'secret', { configure: '.*', write: '.*', read: '.*' });
  await control().ctl('set_user_limits', user, '{"max-connections": 2}');
  onTestFinished(async () => void (await control().ctl('delete_user', user)));
  const { host } = new URL(BROKER.url);
  const as = ['doctor', '--json', '--namespace', namespace(), '--url', `amqp://${user}:secret@${host}`];
  const admin = ['--management-url', BROKER.managementUrl?.replace('://', '://guest:guest@') ?? ''];
  const { code, stdout } = await batonResult([...as, ...admin]);
  expect(code).toBe(2);
  const { findings } = JSON.parse(stdout) as Report;
  expect(findings.filter(({ check, level }) => check === 'alarms' && level !== 'ok')).toEqual([]);
  const said = findings.filter(({ check }) => check === 'limits').map(({ says }) => says);
  expect(said).toEqual(expect.arrayContaining([expect.stringMatching(/at most 2 connections of user/)]));
});
