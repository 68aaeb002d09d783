import { type ChannelModel, connect as connectAmqp } from 'amqplib';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { lockQueueArguments } from '../../src/protocol/topology.ts';
import { BROKER, batonResult, coordinator, until } from './support/baton.ts';
import { control, management, namespace } from './support/queues.ts';

/** What clears a screen, sets a title, begins a line of its own and turns the writing. */
const EVIL = '\x1b[2J\x1b]0;t\x07\r\n\x9b1m\x7f\u202eeerf\u2066\u2028';
/** RabbitMQ itself takes line ends out of the name of a queue (3.10.8). */
const EVIL_QUEUE = EVIL.replace('\r\n', '');
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
const HARMFUL = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]/;

async function raw(): Promise<ChannelModel> {
  const amqp = await connectAmqp(BROKER.url, { clientProperties: { baton_label: EVIL } });
  onTestFinished(() => amqp.close());
  return amqp;
}

/** Every word that another can write, written by an enemy. */
async function hostileWorld(ns: string): Promise<void> {
  const it = await coordinator({
    namespace: ns,
    service: EVIL,
    socketOptions: { clientProperties: { baton_label: EVIL } },
  });
  await it.lock(`held${EVIL}`).acquire();
  void it
    .lock(`held${EVIL}`)
    .acquire()
    .catch(() => {});
  const job = await it.lock('job', { state: z.unknown() }).acquire();
  await job.release({ state: { v: 1, done: 8.7e15 } });
  const channel = await (await raw()).createChannel();
  const queue = `baton.${ns}.lock.raw${EVIL_QUEUE}`;
  await channel.assertQueue(queue, { durable: true, arguments: lockQueueArguments() });
  for (const consumerTag of [EVIL, `${EVIL}@${EVIL}/1/01b8dac5b47b3d4e5f/${EVIL}`])
    await channel.consume(queue, () => {}, { consumerTag });
  await channel.assertQueue(`baton.${ns}.lock.own${EVIL_QUEUE}`, { exclusive: true });
  const notices = `baton.${ns}.notices.evil`;
  await channel.assertQueue(notices, { exclusive: true });
  await channel.consume(notices, () => {}, {
    arguments: { queue, consumer: EVIL, fence: `1${EVIL}`, since: 1e300 },
  });
  await channel.consume(notices, () => {}, {
    arguments: { queue, consumer: EVIL, fence: '1', since: 1e300 },
  });
  await control().ctl(
    'set_policy',
    `p${EVIL}`,
    `^baton\\.${ns}\\.`,
    '{"expires":3600000}',
    '--apply-to',
    'queues',
  );
  onTestFinished(async () => void (await control().ctl('clear_policy', `p${EVIL}`)));
}

test('words of others never act on a terminal or forge a row, and one odd lock is one odd row', async () => {
  const ns = namespace();
  await hostileWorld(ns);
  const RAW = `baton.${ns}.lock.raw${EVIL_QUEUE}`;
  const OWN = `baton.${ns}.lock.own${EVIL_QUEUE}`;
  const flags = ['--namespace', ns, ...management()];
  const told = async (...args: string[]) => {
    const { code, stdout, stderr } = await batonResult(args[0] === 'run' ? args : [...args, ...flags]);
    expect(stdout).not.toMatch(HARMFUL);
    expect(stderr).not.toMatch(HARMFUL);
    return { code, lines: stdout.trimEnd().split('\n'), stderr };
  };
  await until(async () => {
    const { lines } = await told('show', RAW, '--json');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      holder: { consumerTag: EVIL, label: EVIL, heldSince: null, fence: '1' },
      waiters: [{ service: EVIL }],
    });
  });
  const listing = await told('ls');
  // The heading, four locks, and why one of them is odd.
  expect(listing).toMatchObject({ code: 0, stderr: '' });
  expect(listing.lines).toHaveLength(6);
  expect(listing.lines.filter((line) => /^baton\S+own\S+ +odd /.test(line))).toHaveLength(1);
  expect(listing.lines.at(-1)).toMatch(/^baton\S+own.* is odd: Queue .*RESOURCE_LOCKED/);
  const {
    lines: [json = ''],
  } = await told('ls', '--json');
  const { locks } = JSON.parse(json) as { locks: { lock: string; state: string }[] };
  expect(locks.map(({ lock, state }) => [lock, state]).sort()).toEqual(
    [
      [`held${EVIL}`, 'held'],
      ['job', 'free'],
      [OWN, 'odd'],
      [RAW, 'held'],
    ].sort(),
  );
  expect(await told('show', `held${EVIL}`)).toMatchObject({ code: 0 });
  // Its record is none: 8.7e15 is no instant.
  expect(await told('show', 'job')).toMatchObject({ code: 0, stderr: '' });
  expect((await told('show', OWN)).lines).toContainEqual(expect.stringMatching(/^state: {9}odd: Queue /));
  expect(await told('run', `held${EVIL}`, '--namespace', ns, '--no-wait', '--', 'true')).toMatchObject({
    code: 75,
  });
  for (const args of [['doctor'], ['doctor', '--json']]) {
    const { code, lines } = await told(...args, '--lease', '1s', '--verify-every', '400ms');
    expect(code).toBe(2);
    expect(lines.join('\n')).toMatch(/policy .*expires.*lock .*own.* cannot be looked at/s);
  }
  expect(await told('break', OWN, '--yes')).toMatchObject({ code: 76 });
  for (const lock of [RAW, `held${EVIL}`, 'job'])
    expect(await told('break', lock, '--yes')).toMatchObject({ code: 0 });
}, 120_000);
