import { expect, onTestFinished, test } from 'vitest';
import { sharedBroker } from '../support/broker/index.ts';
import { freePort } from '../support/broker/probe.ts';
import { Postgres } from '../support/postgres.ts';
import { Program } from '../support/processes.ts';
import { FOLDER, providePika, spawnWorker } from './pika.ts';
import { openChannel, startExample, unique } from './start.ts';

const { url, control } = sharedBroker();
const ENDED = { code: 0, signal: null };
const PATIENCE = { timeout: 45_000, interval: 200 };
const START = { timeoutMs: 45_000, what: 'its start' };

interface Survivor {
  readonly program: Program;
  /** Rejects, or throws, while it does not do its work. */
  works(): Promise<unknown>;
}

/** Every example that goes on until it is stopped. */
const EXAMPLES: Record<string, () => Promise<Survivor>> = {
  'queue-consumer.ts': async () => {
    const queue = unique('jobs');
    const program = startExample('queue-consumer.ts', { QUEUE: queue });
    await program.next(({ ready }: { ready?: true }) => ready === true, START);
    let last = 0;
    const works = async () => {
      last += 1;
      const [channel, id] = [await openChannel(), last];
      channel.sendToQueue(queue, Buffer.from(JSON.stringify({ id, customer: 7 })), { persistent: true });
      await program.next((done: { id?: number }) => done.id === id);
    };
    return { program, works };
  },
  'leader.ts': async () => {
    const program = startExample('leader.ts', { LOCK: unique('leader') });
    const works = () => {
      const now = Date.now();
      return program.next(({ sent = 0 }: { sent?: number }) => sent > now);
    };
    return { program, works };
  },
  'express.ts': async () => {
    const program = startExample('express.ts', { PORT: '0' });
    const { listening } = await program.next<{ listening: { port: number } }>(
      (it) => it.listening !== undefined,
      START,
    );
    const orders = `http://127.0.0.1:${listening.port}/customers/${unique('one')}/orders`;
    const works = async () => expect((await fetch(orders, { method: 'POST' })).status).toBe(201);
    return { program, works };
  },
  'metrics.ts': async () => {
    const port = await freePort();
    const program = startExample('metrics.ts', {
      METRICS_PORT: String(port),
      LOCK: `report:${unique('seen')}`,
    });
    await program.next(({ ready }: { ready?: true }) => ready === true, START);
    const grants = async () => {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return Number(/^batonmq_grants_total\{[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0);
    };
    const works = async () => {
      const before = await grants();
      await expect.poll(grants).toBeGreaterThan(before);
    };
    return { program, works };
  },
  'python/worker.py': async () => {
    await providePika();
    const env = { AMQP_URL: url, LOCK: unique('python'), ROUNDS: '100000', HOLD_S: '0.2' };
    const program = new Program(`${FOLDER}worker.py`, spawnWorker(env));
    onTestFinished(() => program.kill().then(() => {}));
    const works = async () => {
      for (let i = 0; i < 200; i += 1)
        await program
          .next((it: { released?: string }) => it.released !== undefined, { timeoutMs: 1 })
          .catch(() => {});
      await program.next((it: { released?: string }) => it.released !== undefined);
    };
    return { program, works };
  },
};

// A broker that is given by BATON_URL is never restarted.
test.runIf(control !== undefined).each(Object.entries(EXAMPLES))(
  '%s goes on after a restart of the broker, and ends cleanly on SIGTERM',
  async (_, start) => {
    const { program, works } = await start();
    await expect.poll(() => works().then(() => 'works', String), PATIENCE).toBe('works');
    await control?.restart();
    await expect.poll(() => works().then(() => 'works', String), PATIENCE).toBe('works');
    expect(await program.kill('SIGTERM')).toEqual(ENDED);
    expect(program.stderr).not.toMatch(/^\s+at /m);
  },
  150_000,
);

test.runIf(control !== undefined)(
  'a queue that is deleted under queue-consumer.ts is made and consumed again',
  async () => {
    const queue = unique('jobs');
    const program = startExample('queue-consumer.ts', { QUEUE: queue });
    const ready = () => program.next((it: { ready?: true }) => it.ready === true, START);
    await ready();
    const channel = await openChannel();
    await channel.deleteQueue(queue);
    await ready();
    channel.sendToQueue(queue, Buffer.from('{"id":1,"customer":1}'));
    channel.sendToQueue(queue, Buffer.from('no job'));
    await program.next((done: { id?: number }) => done.id === 1);
    expect(await program.kill('SIGTERM')).toEqual(ENDED);
    await channel.deleteQueue(queue);
  },
);

test.runIf(control !== undefined)(
  'fenced-write.ts ends by itself when the broker restarts while it holds',
  async () => {
    const postgres = await Postgres.start((line) => console.error(line));
    onTestFinished(() => postgres.stop());
    const { host, user, database } = postgres.address;
    const REPORT = String(Number.parseInt(unique('').slice(-6), 16));
    const env = { PGHOST: host, PGUSER: user, PGDATABASE: database, REPORT, WORK_MS: '6000' };
    const program = startExample('fenced-write.ts', env);
    await program.next(({ holds }: { holds?: string }) => holds !== undefined, START);
    await control?.restart();
    const { written } = await program.next<{ written: boolean }>((it) => it.written !== undefined);
    expect(written).toBe(true); // nobody else has written since
    expect(await program.exit).toEqual(ENDED);
  },
);
