import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createServer } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { openProxy } from '../../support/proxy.ts';
import { BROKER, baton, coordinator, guardOf, isAlive, lockName, shown, until } from '../support/baton.ts';
import { consumersOf } from '../support/queues.ts';

/** `BATON_REPEAT=50` for the proof that the order is not luck. */
const repeats = Number(process.env.BATON_REPEAT ?? 1) - 1;

/** A command of many processes, which take a while to die. */
const MANY = 'for i in $(seq 40); do sleep 600 & done; echo pids $$ $(jobs -p); wait';

async function runAndWaiter(url: string, flags: readonly string[] = []) {
  const lock = await lockName();
  const run = baton(['run', lock, '--url', url, ...flags, '--', 'bash', '-c', MANY]);
  const [all = ''] = await shown(run, /pids [\d ]+\n/);
  const pids = all.trim().split(' ').slice(1).map(Number);
  expect(pids).toHaveLength(41);
  const waiting = (await coordinator()).lock(lock).acquire();
  await until(async () => expect(await consumersOf(lock)).toBe(2));
  /** How many processes of the command lived in the moment in which the next one was granted. */
  const livedAtGrant = waiting.then(() => pids.filter(isAlive).length);
  return { run, pids, livedAtGrant };
}

/** TLS that ends here and goes on in plain. */
async function tlsBroker(): Promise<{ url: string; ca: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'baton-tls-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const request = 'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost'.split(' ');
  const files = ['-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert];
  execFileSync('openssl', [...request, ...files], { stdio: 'pipe' });
  const broker = new URL(BROKER.url);
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
    const plain = connectTcp(Number(broker.port), broker.hostname);
    socket.pipe(plain).pipe(socket);
    for (const [end, other] of [[socket, plain] as const, [plain, socket] as const]) {
      end.on('error', () => end.destroy());
      end.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return { url: `amqps://${broker.username}:${broker.password}@localhost:${port}`, ca: cert };
}

test('after SIGKILL of baton run the lock is not free before the command is dead', { repeats }, async () => {
  const { run, livedAtGrant } = await runAndWaiter(BROKER.url);
  run.signal('SIGKILL');
  expect(await livedAtGrant).toBe(0);
});

test.each(['plain', 'TLS'])(
  'over %s the lock stays held after SIGKILL of baton run for as long as the guard has not killed the command',
  async (line) => {
    const { url, ca } = line === 'TLS' ? await tlsBroker() : { url: BROKER.url, ca: undefined };
    const started = await runAndWaiter(url, ca === undefined ? [] : ['--ca', ca]);
    const guard = await guardOf(started.run);
    process.kill(guard, 'SIGSTOP');
    started.run.signal('SIGKILL');
    const early = await Promise.race([started.livedAtGrant, pause(2_000, 'still held')]);
    process.kill(guard, 'SIGCONT');
    expect(early).toBe('still held');
    expect(await started.livedAtGrant).toBe(0);
  },
);

test('the line is that of the lock also when it was recreated during the wait', async () => {
  const proxy = await openProxy(BROKER.url);
  onTestFinished(() => proxy.close());
  const lock = await lockName();
  const lease = await (await coordinator()).lock(lock).acquire();
  const run = baton(['run', lock, '--url', proxy.url, '--', 'sh', '-c', 'echo pid $$; sleep 600']);
  await until(async () => expect(await consumersOf(lock)).toBe(2));
  proxy.reset();
  await until(async () => expect(await consumersOf(lock)).toBe(1));
  await until(async () => expect(await consumersOf(lock)).toBe(2));
  await lease.release();
  const [, pid] = await shown(run, /pid (\d+)/);
  const guard = await guardOf(run);
  process.kill(guard, 'SIGSTOP');
  run.signal('SIGKILL');
  const next = (await coordinator()).lock(lock).acquire();
  const early = await Promise.race([next, pause(2_000, 'still held')]);
  process.kill(guard, 'SIGCONT');
  expect(early).toBe('still held');
  await next;
  expect(isAlive(Number(pid))).toBe(false);
});
