import { randomUUID } from 'node:crypto';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/index.ts';
import { lockPlace, lockQueueName } from '../../src/protocol/queues.ts';
import { decodeMessage, encodeToken } from '../../src/protocol/token.ts';
import { sharedBroker } from '../support/broker/index.ts';
import { Program } from '../support/processes.ts';
import { evaluate, FOLDER, providePika, spawnWorker } from './pika.ts';
import { deleteLocks, openChannel, unique } from './start.ts';

/** Short, so that tests need not wait; the worker has the defaults of batonmq otherwise. */
const SHORT = { heartbeat_s: 1, lease_s: 1.5, verify_every_s: 0.3, heal_after_s: 1 };

interface Said {
  readonly in_line?: true;
  readonly fence?: string;
  readonly released?: string;
  readonly lost?: string;
}

beforeAll(providePika);

function startWorker(lock: string, env: Record<string, string> = {}): Program {
  const { url } = sharedBroker();
  const program = new Program(
    `${FOLDER}worker.py`,
    spawnWorker({ AMQP_URL: url, LOCK: lock, TIMES: JSON.stringify(SHORT), ...env }),
  );
  onTestFinished(() => program.kill().then(() => {}));
  return program;
}

async function connectNode() {
  const baton = await connect(sharedBroker().url, { service: 'node', healAfterMs: 1_000 });
  onTestFinished(() => baton.close({ drainMs: 0 }));
  return baton;
}

function lockOfTest(): string {
  const name = unique('päir');
  onTestFinished(() => deleteLocks([name]));
  return name;
}

const inLine = ({ in_line }: Said) => in_line === true;
const granted = ({ fence }: Said) => fence !== undefined;

describe('a worker in Python, written after docs/protocol.md', () => {
  test('shares a lock with the Node fleet: no round is lost, and the fences rise in the order of the writes', async () => {
    const [lock, baton] = [lockOfTest(), await connectNode()];
    const folder = await mkdtemp(join(tmpdir(), 'batonmq-python-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, 'counter');
    const ROUNDS = 8;
    const workers = [1, 2].map(() => startWorker(lock, { ROUNDS: String(ROUNDS), FILE: file }));
    const node = async () => {
      for (let i = 0; i < ROUNDS; i += 1) {
        await baton.lock(lock).run(async ({ fence }) => {
          const lines = await readFile(file, 'utf8').catch(() => '');
          await pause(10);
          await appendFile(file, `${lines.split('\n').length}:${fence}:node\n`);
        });
        await pause(50);
      }
    };
    await Promise.all([node(), node(), ...workers.map(({ exit }) => exit)]);
    const lines = (await readFile(file, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split(':'));
    expect(lines.map(([number]) => Number(number))).toEqual(
      Array.from({ length: 4 * ROUNDS }, (_, i) => i + 1),
    );
    const fences = lines.map(([, fence = '']) => BigInt(fence));
    expect(fences.every((fence, i) => i === 0 || fence > (fences[i - 1] ?? 0n))).toBe(true);
    const takers = lines.map(([, , who]) => who);
    expect(takers.filter((who) => who === 'node')).toHaveLength(2 * ROUNDS);
    expect(takers.slice(0, -1).filter((who, i) => who !== takers[i + 1]).length, 'turns').toBeGreaterThan(5);
  });

  test('verifies a hold, so that it outlives its lease, and Node is granted when it is killed, and the reverse', async () => {
    const [lock, baton] = [lockOfTest(), await connectNode()];
    const first = startWorker(lock, { HOLD_S: '60' });
    const one = await first.next<Said>(granted);
    const waiting = baton.lock(lock).acquire();
    await pause(2_000); // longer than lease_s: without proof it would say that it has lost
    expect(first.stdout).not.toContain('lost');
    await first.kill('SIGKILL');
    const two = await waiting;
    expect(two.fence).toBeGreaterThan(BigInt(one.fence ?? 0));
    await two.verify();

    const second = startWorker(lock, { HOLD_S: '60' });
    await second.next(inLine);
    await baton.close({ drainMs: 0 }); // the hold is taken away
    expect(two.signal.aborted).toBe(true);
    const three = await second.next<Said>(granted);
    expect(BigInt(three.fence ?? 0)).toBeGreaterThan(two.fence);
  });

  test('is told when its queue is deleted, waits in line again, and does the same as a waiter', async () => {
    const [lock, baton] = [lockOfTest(), await connectNode()];
    const holder = startWorker(lock, { HOLD_S: '60', ROUNDS: '2' });
    const before = await holder.next<Said>(granted);
    await deleteLocks([lock]);
    expect(await holder.next(({ lost }: Said) => lost !== undefined)).toEqual({
      lost: 'the queue was deleted',
    });
    const after = await holder.next<Said>(granted);
    expect(BigInt(after.fence ?? 0)).toBeGreaterThan(BigInt(before.fence ?? 0));
    await holder.kill();

    const lease = await baton.lock(lock).acquire();
    const waiter = startWorker(lock, { HOLD_S: '60' });
    await waiter.next(inLine);
    await deleteLocks([lock]);
    const again = await waiter.next<Said>(granted);
    expect(BigInt(again.fence ?? 0)).toBeGreaterThan(lease.fence);
  });

  test('heals a purged lock on its own', async () => {
    const lock = lockOfTest();
    const channel = await openChannel();
    const holder = startWorker(lock, { ROUNDS: '1' });
    const { released } = await holder.next<Said>((said) => said.released !== undefined);
    await holder.exit;
    const queue = lockQueueName('default', lock);
    // A consumer that never had the token stands for the one with whom it was destroyed: newcomers do not seed.
    const { consumerTag } = await channel.consume(queue, () => {});
    await expect.poll(async () => (await channel.checkQueue(queue)).messageCount).toBe(0);
    const waiter = startWorker(lock, { ROUNDS: '1' });
    await waiter.next(inLine);
    await channel.ackAll();
    await channel.cancel(consumerTag); // the token is gone for good, and the worker is the active consumer
    const healed = await waiter.next<Said>(granted, { timeoutMs: 30_000 });
    expect(BigInt(healed.fence ?? 0)).toBeGreaterThan(BigInt(released ?? 0));
  });

  test('leaves a queue that is not a lock alone, and says so', async () => {
    const name = lockOfTest();
    const channel = await openChannel();
    await channel.assertQueue(lockQueueName('default', name), { arguments: { 'x-queue-type': 'classic' } });
    const worker = startWorker(name);
    expect((await worker.exit).code).toBe(1);
    expect(worker.stderr).toMatch(/LockError: the broker refused .*x-/);
  });
});

describe('Python and Node', () => {
  test('give every lock and every slot the same queue', async () => {
    const names = [
      'invoice:42',
      'report/2030-01@eu',
      'a b',
      'Grüße',
      '東京',
      '100%',
      '#x',
      "it's (ok)!*~",
      '𝕏\u0000',
    ];
    for (const unit of ['x', 'ü', '%', '東'])
      for (const n of [78, 79, 236, 237, 255]) names.push(unit.repeat(n));
    const source = `from baton import *
print(json.dumps([[queue_name("default", n), *slot_name("x-y", n, 64)] for n in json.load(sys.stdin)]))`;
    const expected = names.map((name) => {
      const slot = lockPlace('x-y', name, 64);
      return [lockQueueName('default', name), slot.queue, slot.tokenName];
    });
    expect(await evaluate(source, names)).toEqual(expected);
  });

  test('read every message in the same way', async () => {
    const token = {
      v: 1,
      kind: 'token',
      id: '01930b4c-7a3e-7c55-9d1f-0a1b2c3d4e5f',
      name: 'invoice:42',
      base: '1985432518656000000',
      by: 'billing@web-1/4711',
      at: 1893456000000,
    };
    const bodies = [
      ...[{}, { more: 1 }, { v: 2 }, { v: 0 }, { v: -1 }, { v: 1.5 }, { v: '1' }, { v: true }, { v: null }],
      ...[{ kind: 'probe' }, { kind: 'probe', base: 1 }, { kind: 'else' }, { kind: undefined }, { kind: 7 }],
      ...[
        { v: 2, kind: 'probe' },
        { v: 2, kind: 7 },
        { v: 3, kind: undefined },
      ],
      ...[
        { base: '01' },
        { base: 1 },
        { base: '-1' },
        { base: '' },
        { base: '1 ' },
        { base: '١' },
        { base: '0' },
      ],
      ...[{ base: '9223370937343148031' }, { base: '9223370937343148032' }, { base: '99999999999999999999' }],
      ...[
        { id: 'x' },
        { id: token.id.toUpperCase() },
        { id: `{${token.id}}` },
        { id: token.id.replaceAll('-', '') },
      ],
      ...[
        { name: 'other' },
        { name: undefined },
        { by: 7 },
        { by: undefined },
        { at: '1' },
        { at: true },
        { at: 1.5 },
        ...[1024, 7.0, 0, 1025, 1.5, '7', true, null].map((stride) => ({ stride })),
      ],
    ].map((change) => JSON.stringify({ ...token, ...change }));
    const odd = [
      '',
      'null',
      '[]',
      '7',
      '"token"',
      '{',
      '{"v":1}',
      '\ufeff{"v":1,"kind":"probe"}',
      '{"v":1,"kind":"probe"} ',
    ];
    odd.push(
      JSON.stringify(token).replace('"v":1', '"v":1.0'),
      JSON.stringify(token).replace('1893456000000', 'NaN'),
    );
    const source = `from baton import *
def read(body):
    m = Message(body.encode(), {"x-acquired-count": 5, "x-delivery-count": 2}, "invoice:42")
    return [m.kind, str(m.fence) if m.kind == "token" else None]
print(json.dumps([read(body) for body in json.load(sys.stdin)]))`;
    const all = [...bodies, ...odd];
    const inNode = all.map((body) => {
      const message = decodeMessage(Buffer.from(body), 7, 'invoice:42');
      return [message.kind, message.kind === 'token' ? String(message.fence) : null];
    });
    const inPython = (await evaluate(source, all)) as unknown[];
    expect(all.map((body, i) => [body, inPython[i]])).toEqual(all.map((body, i) => [body, inNode[i]]));
    expect(new Set(inNode.map(([kind]) => kind))).toEqual(new Set(['token', 'probe', 'newer', 'foreign']));
  });

  test('counts nothing that a publisher wrote, and takes an old seed without a count for no live token', async () => {
    const source = `from baton import *
def read(body):
    headers = {"x-acquired-count": 7, "x-delivery-count": 3}
    return [[m.returns, m.counts_acquired, Contender.is_live(m, -1)] for m in
            (Message(body.encode(), headers, "jobs", *more) for more in ((False,), (True,), (True, (4, 2))))]
print(json.dumps([read(body) for body in json.load(sys.stdin)]))`;
    const seed = {
      id: randomUUID(),
      name: 'jobs',
      base: 1_000n,
      fencesPerReturn: 1,
      by: 'x',
      at: Date.now() - 61_000,
    };
    const bodies = [Buffer.from(encodeToken(seed)).toString()];
    expect(await evaluate(source, bodies)).toEqual([
      [
        [0, false, false],
        [10, true, true],
        [3, false, true],
      ],
    ]);
  });
});
