import { chmod, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/index.ts';
import { sharedBroker } from '../support/broker/index.ts';
import { run } from '../support/broker/run.ts';
import { unique } from './start.ts';

const { url, control } = sharedBroker();
const DOCS = new URL('../../docs/', import.meta.url);

/** Every rabbitmqctl line of the page, as arguments, by its subcommand. */
async function documented(): Promise<Map<string, string[]>> {
  const page = await readFile(new URL('operations.md', DOCS), 'utf8');
  const lines = [...page.matchAll(/^ *rabbitmqctl (.+)$/gm)].map(([, line = '']) => line);
  const commands = lines.map((line) =>
    [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) =>
      (a ?? b ?? c ?? '').replace('$PASSWORD', 'secret'),
    ),
  );
  return new Map(commands.map((args) => [args.find((arg) => !arg.startsWith('-')) ?? '', args]));
}

// A broker that is given by BATON_URL is never administered.
test.runIf(control !== undefined)(
  'every rabbitmqctl command of the page works and shows what it says',
  async () => {
    const commands = await documented();
    const ctl = (name: string) =>
      control?.ctl(...(commands.get(name) ?? expect.fail(`no ${name} on the page`)));
    await ctl('add_vhost');
    onTestFinished(() => control?.deleteVhost('locks'));
    await ctl('add_user');
    onTestFinished(async () => void (await control?.ctl('delete_user', 'billing')));
    await ctl('set_permissions');
    const address = new URL(url);
    Object.assign(address, { username: 'billing', password: 'secret', pathname: '/locks' });
    await using holder = await connect(address.href, { service: 'billing' });
    await using other = await connect(address.href, { service: 'shipping' });
    const lease = await holder.lock('invoice:42').acquire();
    const waiting = other.lock('invoice:42').acquire();

    const consumers = async () =>
      ((await ctl('list_consumers')) ?? '').split('\n').map((line) => line.split('\t').sort().join(' '));
    await expect
      .poll(consumers, { timeout: 15_000, interval: 500 })
      .toEqual(
        expect.arrayContaining([
          expect.stringMatching(/baton\.default\.lock\.invoice:42 billing@\S+\/invoice:42 true/),
          expect.stringMatching(/baton\.default\.lock\.invoice:42 false shipping@\S+\/invoice:42/),
        ]),
      );
    await expect
      .poll(() => ctl('list_queues'), { timeout: 15_000, interval: 500 })
      .toMatch(/baton\.default\.lock\.invoice:42\t0\t1\trunning\t/);
    expect(await ctl('status')).toMatch(/Alarms/);
    await ctl('list_policies');
    await ctl('list_operator_policies');

    const lost = new Promise((resolve) => lease.signal.addEventListener('abort', resolve));
    await ctl('delete_queue');
    await lost;
    expect(lease.signal.reason.reason).toBe('queue-deleted');
    expect((await waiting).fence).toBeGreaterThan(lease.fence);
    expect([...commands.keys()].sort()).toEqual(
      [
        'add_user',
        'add_vhost',
        'delete_queue',
        'list_consumers',
        'list_operator_policies',
        'list_policies',
        'list_queues',
        'set_permissions',
        'status',
      ].sort(),
    );
  },
);

/** The command lines of the recipes, as cron and systemd would give them to the machine. */
async function recipes(): Promise<Record<string, string>> {
  const page = await readFile(new URL('operations.md', DOCS), 'utf8');
  const crontab = await readFile(new URL('examples/nightly.cron', DOCS), 'utf8');
  const inCrontab = /^(?:\S+ ){5} *nobody +(.+)$/m;
  const kubernetes = /command: \[(baton, .+)\]/.exec(page)?.[1] ?? '';
  return {
    'the crontab': inCrontab.exec(crontab)?.[1] ?? '',
    'the crontab on the page': inCrontab.exec(page)?.[1] ?? '',
    'the systemd unit': (/^ExecStart=(.+)$/m.exec(page)?.[1] ?? '').replace('/usr/local/bin/', ''),
    Kubernetes: kubernetes.replace('0 3 * * *', "'0 3 * * *'").replaceAll(', ', ' '),
  };
}

test.each(['the crontab', 'the crontab on the page', 'the systemd unit', 'Kubernetes'])(
  'the command line of %s runs the report once, on whichever machine comes first',
  async (recipe) => {
    const line = (await recipes())[recipe] ?? '';
    const folder = await mkdtemp(join(tmpdir(), 'batonmq-recipe-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const command = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
    await chmod(command, 0o755);
    await symlink(command, join(folder, 'baton'));
    await writeFile(join(folder, 'report.sh'), '#!/bin/sh\necho report\n', { mode: 0o755 });
    const env = {
      ...process.env,
      PATH: `${folder}:${process.env.PATH}`,
      BATON_URL: url,
      BATON_NAMESPACE: unique('recipe').slice(0, 32),
    };
    const call = () => run(['sh', '-c', line.replace('/srv/', `${folder}/`)], { env });
    const outputs = await Promise.all([call(), call(), call()]);
    expect(outputs.sort()).toEqual(['', '', 'report\n']);
    expect(await call()).toBe('');
  },
);
