import { connect as connectAmqp } from 'amqplib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { lockQueueName } from '../../src/protocol/queues.ts';
import { BROKER, coordinator, shellResult, until } from './support/baton.ts';
import { management, namespace } from './support/queues.ts';

const WAITERS = 1_500;
const FLAGS = management().join(' ');

/** A lock with so many waiters that `baton show` prints several hundred KiB. Resolves with the arguments. */
async function crowd(): Promise<string> {
  const ns = namespace();
  const it = await coordinator({ namespace: ns });
  await (await it.lock('crowd').acquire()).release();
  const amqp = await connectAmqp(BROKER.url);
  onTestFinished(() => amqp.close());
  const channel = await amqp.createChannel();
  const consuming = Array.from({ length: WAITERS }, (_, waiter) =>
    channel.consume(lockQueueName(ns, 'crowd'), () => {}, {
      consumerTag: `${waiter}-`.padEnd(200, 'x'),
    }),
  );
  await Promise.all(consuming);
  const args = `show crowd --namespace ${ns} ${FLAGS}`;
  // The management API hears of newcomers up to 5 s late.
  await until(async () => {
    const { stdout } = await shellResult(`baton ${args} | wc -l`);
    expect(Number(stdout)).toBeGreaterThan(WAITERS - 1);
  });
  return args;
}

describe('what is printed', () => {
  test('is out before the command ends, however slowly it is read', async () => {
    const args = await crowd();
    const file = await shellResult(`baton ${args} --json > file; echo $?; wc -c < file`);
    const [code, bytes] = file.stdout.split('\n').map(Number);
    expect(code).toBe(0);
    expect(bytes).toBeGreaterThan(500_000);
    const pipe = await shellResult(`baton ${args} --json | (sleep 2; wc -c)`);
    expect(Number(pipe.stdout)).toBe(bytes);
    const table = await shellResult(`baton ${args} | (sleep 2; tail -1)`);
    expect(table.stdout).toMatch(/^1(?:499|500) /);
    const closed = await shellResult(`{ baton ${args}; echo $? >&2; } | head -1`);
    expect(closed).toEqual({ code: 0, stdout: 'lock:          crowd\n', stderr: '141\n' });
  }, 180_000);

  test.each(['--help', '--version', 'ls --help', `ls ${FLAGS}`, `show x ${FLAGS}`, `doctor ${FLAGS}`])(
    'and cannot be written ends with 74 and one sentence: baton %s',
    async (args) => {
      const full = await shellResult(`baton ${args} > /dev/full`);
      expect(full).toEqual({
        code: 74,
        stdout: '',
        stderr: 'baton: the output could not be written: no space left on device (ENOSPC)\n',
      });
      const closed = await shellResult(`{ sleep 0.2; baton ${args}; echo $? >&2; } | true`);
      expect(closed).toEqual({ code: 0, stdout: '', stderr: '141\n' });
    },
  );

  test('on stderr is not lost when a full pipe takes nothing for a while', async () => {
    // The other writer makes the pipe non-blocking, as a command of Node under `baton run` does, and fills it.
    const fill = `process.stderr.write('x'.repeat(300_000)); fs.writeFileSync('filled', '')`;
    const said = await shellResult(`
      { '${process.execPath}' -e "${fill}" & while [ ! -e filled ]; do sleep 0.05; done
        baton walk; touch ended; wait; } 2>&1 |
      { for tenth in $(seq 50); do [ -e ended ] && break; sleep 0.1; done; tr -d x; }`);
    expect(said.stdout).toMatch(/baton: there is no command "walk"/);
  });
});

describe('what is said on a pipe that is full and takes no wait', () => {
  /** Fills it, and keeps it from making writers wait, as a command under `baton run` may. */
  const FILL = `node -e "process.stderr; const fs = require('node:fs'); try { for (;;) fs.writeSync(2, 'x'.repeat(4096)); } catch {} setInterval(() => {}, 1000)"`;

  test('is given up after 5 s, and the command ends with its own code', async () => {
    const startedAt = performance.now();
    const script = `mkfifo pipe; exec 4<>pipe; ${FILL} 2>&4 & filler=$!; sleep 1; baton toString 2>&4; echo $?; kill $filler`;
    expect(await shellResult(script)).toEqual({ code: 0, stdout: '64\n', stderr: '' });
    const tookMs = performance.now() - startedAt;
    expect(tookMs).toBeGreaterThan(5_000);
    expect(tookMs).toBeLessThan(30_000);
  });
});
