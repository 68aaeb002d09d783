/** Limits that an operator sets, each on a user and a virtual host of the test's own. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { ConnectOptions, Coordinator, SessionStateChange } from '../../../src/index.ts';
import { connect } from '../../../src/index.ts';
import { sharedBroker } from '../../support/broker/index.ts';
import { changed, until } from './fixtures.ts';

const { control } = sharedBroker();
const NAME = `limited-${randomUUID().slice(0, 8)}`;
const URL_OF_USER = changed({ user: NAME, password: 'sesame', path: `/${NAME}` });
const LOGS = { debug() {}, info() {}, warn() {}, error() {} };

const limitUser = (limits: object) => control?.ctl('set_user_limits', NAME, JSON.stringify(limits));
const limitVhost = (limits: object) => control?.ctl('set_vhost_limits', '-p', NAME, JSON.stringify(limits));

interface Watched {
  readonly baton: Coordinator;
  readonly changes: SessionStateChange[];
  /** Roles of the connections that were lost. */
  readonly lost: string[];
}

async function open(options: ConnectOptions = {}): Promise<Watched> {
  const lost: string[] = [];
  const warn = (fields: object, message = '') => {
    if (message.includes('lost')) lost.push(String(Reflect.get(fields, 'role')));
  };
  const baton = await connect(URL_OF_USER, { logger: { ...LOGS, warn }, ...options });
  onTestFinished(() => baton.close({ drainMs: 0 }));
  const changes: SessionStateChange[] = [];
  baton.on('state', (change) => changes.push(change));
  return { baton, changes, lost };
}

const codes = (changes: readonly SessionStateChange[]) => changes.map(({ error }) => error?.code);

describe.runIf(control !== undefined)('a limit', () => {
  beforeEach(async () => {
    await control?.addVhost(NAME);
    await control?.addUser(NAME, 'sesame', { configure: '.*', write: '.*', read: '.*' }, NAME);
    return async () => {
      await control?.deleteVhost(NAME);
      await control?.ctl('delete_user', NAME);
    };
  });

  test.each([8, 30])(
    'of %i channels costs no lease, at most one connection, and every caller gets a turn',
    { timeout: 180_000 },
    async (channels) => {
      await limitUser({ 'max-channels': channels });
      const { baton, changes, lost } = await open();
      const run = (name: string) =>
        baton.lock(name).run(async ({ signal }) => {
          await pause(50);
          return signal.aborted;
        });
      const held = await baton.lock('held').acquire();
      for (let round = 0; round < 2; round += 1) {
        const ran = await Promise.all(Array.from({ length: channels + 2 }, (_, index) => run(`l${index}`)));
        expect(ran).toEqual(Array(channels + 2).fill(false));
      }
      expect(held.signal.aborted).toBe(false);
      expect(lost).toEqual(['service']);
      expect(codes(changes)).toContain('resource-limit');
    },
  );

  test('of channels that are all in use is named in the timeout of who waits for one', async () => {
    await limitUser({ 'max-channels': 6 });
    const { baton } = await open();
    const waits = Array.from({ length: 8 }, (_, index) =>
      baton.lock(`l${index}`).acquire({ timeoutMs: 8_000 }),
    );
    const outcomes = await Promise.allSettled(waits);
    const refused = outcomes.flatMap((it) => (it.status === 'rejected' ? [it.reason as Error] : []));
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(8);
    for (const error of refused) {
      expect(error).toMatchObject({ code: 'acquire-timeout', cause: { code: 'resource-limit' } });
      expect(error.message).toContain('max-channels');
    }
    await expect(baton.lock('l9').tryAcquire()).rejects.toMatchObject({ cause: { code: 'resource-limit' } });
  });

  test.each([
    ['of the user', limitUser],
    ['of the virtual host', limitVhost],
  ] as const)(
    'of two connections %s is told, and named in the timeout of who waits for the third',
    async (_, limit) => {
      await limit({ 'max-connections': 2 });
      const { baton, changes } = await open();
      const error = await baton
        .lock('new')
        .acquire({ timeoutMs: 2_000 })
        .then(
          () => undefined,
          (reason: Error) => reason,
        );
      expect(error).toMatchObject({ code: 'acquire-timeout', cause: { code: 'resource-limit' } });
      expect(error?.message).toContain('max-connections');
      expect(changes[0]).toMatchObject({ to: 'reconnecting', error: { code: 'resource-limit' } });
      await limit({ 'max-connections': 10 });
      await (await baton.lock('new').acquire()).release();
      await until(() => expect(baton.state).toBe('open'));
    },
  );

  test('of one connection makes connect reject, and names it', async () => {
    await limitUser({ 'max-connections': 1 });
    await expect(connect(URL_OF_USER)).rejects.toMatchObject({
      code: 'resource-limit',
      message: expect.stringContaining('max-connections') as string,
    });
  });

  test('of queues is no foreign queue: who waits is told, and goes on when there is room', async () => {
    const { baton, changes } = await open();
    await (await baton.lock('first').acquire()).release();
    await limitVhost({ 'max-queues': 1 });
    const refused = baton.lock('second').acquire({ timeoutMs: 500 });
    await expect(refused).rejects.toMatchObject({
      code: 'acquire-timeout',
      message: expect.stringContaining('max-queues') as string,
      cause: { code: 'resource-limit', retryable: true },
    });
    await expect(baton.lock('second').tryAcquire()).rejects.toThrow(/max-queues/);
    expect(codes(changes)).toEqual(['resource-limit']);
    const waiting = baton.lock('second').acquire();
    await limitVhost({ 'max-queues': 10 });
    await (await waiting).release();
  });
});
