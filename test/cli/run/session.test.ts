import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { baton, isAlive, shown, until } from '../support/baton.ts';
import { namespace, withChannel } from '../support/queues.ts';

/** Groups of their own within the session: by job control, by timeout(1), and of an orphan. All are deaf to SIGTERM. */
const DEAF = `bash -c 'trap "" TERM; echo $$ >> "$0"; while :; do sleep 0.05; done'`;
const GROUPS = `set -m
  ${DEAF} "$0" &
  timeout 600 ${DEAF} "$0" &
  (${DEAF} "$0" &)
  while [ "$(cat "$0" 2>/dev/null | wc -l)" -lt 3 ]; do sleep 0.02; done
  echo pids $(cat "$0")`;

async function started(then: string) {
  const folder = await mkdtemp(join(tmpdir(), 'batonmq-cli-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const ns = namespace();
  const command = ['bash', '-c', `${GROUPS}; ${then}`, join(folder, 'pids')];
  const run = baton(['run', 'x', '--namespace', ns, '--kill-after', '500ms', '--', ...command]);
  const [, ...pids] = await shown(run, /pids (\d+) (\d+) (\d+)/);
  return { run, ns, pids: pids.map(Number) };
}

const NONE = [false, false, false];

test('what a command leaves behind in groups of its own is gone before the lock is free', async () => {
  const { run, pids } = await started('exit 3');
  expect((await run.exit).code).toBe(3);
  expect(pids.map(isAlive)).toEqual(NONE);
});

test('groups that a command made are dead when the lock is lost', async () => {
  const { run, ns, pids } = await started('sleep 600');
  expect(pids.map(isAlive)).toEqual([true, true, true]);
  await withChannel((channel) => channel.deleteQueue(`baton.${ns}.lock.x`));
  expect((await run.exit).code).toBe(79);
  expect(pids.map(isAlive)).toEqual(NONE);
});

test('groups that a command made are dead when baton is killed', async () => {
  const { run, pids } = await started('sleep 600');
  run.signal('SIGKILL');
  await until(() => expect(pids.map(isAlive)).toEqual(NONE));
});
