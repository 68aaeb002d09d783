import { once } from 'node:events';
import { z } from 'zod';
import type { Coordinator, Lease, Logger, Schedule, ScheduledRun, StateSchema } from '../../../src/index.ts';
import { ManualClock, TestBroker } from '../../../src/testing/index.ts';

const MINUTE = 60_000;

/** Where code of a user is called in the life below. */
export interface Hooks {
  readonly logger?: Logger;
  readonly baton?: (baton: Coordinator) => void;
  readonly schedule?: (schedule: Schedule) => void;
  readonly lease?: (lease: Lease<number>) => void;
  readonly run?: (run: ScheduledRun) => void;
  readonly validate?: () => void;
  readonly toJson?: () => void;
  /** Takes the hooks out again. */
  readonly end?: () => void;
}

/** What a callback can call back into. */
export interface Inside {
  baton?: Coordinator;
  lease?: Lease<number>;
}

/**
 * A coordinator goes through everything of which it tells: a lock with state is taken, saved, verified, released, lost,
 * destroyed and healed; a job fails, is done, cannot be recorded; the broker restarts; all is closed. Returns what happened.
 */
export async function live(hooks: Hooks, inside: Inside = {}) {
  const clock = new ManualClock(Date.parse('2027-01-01T00:00:00.100Z'));
  const broker = new TestBroker({ clock });
  const happened: string[] = [];
  const until = async <T>(promise: Promise<T>): Promise<T> => {
    let settled = false;
    const done = () => {
      settled = true;
    };
    promise.then(done, done);
    for (let i = 0; i < 3_000 && !settled; i += 1) await clock.advance(100);
    if (!settled) throw new Error(`nothing happened after: ${happened.join(', ')}`);
    return promise;
  };
  const number = z.number();
  const schema: StateSchema<number> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) => {
        hooks.validate?.();
        return number['~standard'].validate(value);
      },
    },
  };
  const value = (state: number) => {
    const toJSON = () => {
      hooks.toJson?.();
      return state;
    };
    return { toJSON } as unknown as number;
  };

  const baton = broker.connect({ logger: hooks.logger, healAfterMs: 1_000 });
  inside.baton = baton;
  hooks.baton?.(baton);
  baton.on('state', ({ to }) => happened.push(`state ${to}`));
  const lock = baton.lock('a', { state: schema });
  const take = async () => {
    const lease = await until(lock.acquire());
    inside.lease = lease;
    hooks.lease?.(lease);
    lease.signal.addEventListener('abort', () => happened.push(`lost ${lease.signal.reason.reason}`));
    return lease;
  };

  const first = await take();
  await until(first.save(value(1)));
  await until(first.verify());
  await until(first.release({ state: value(2) }));
  const second = await take();
  happened.push(`state ${second.state}, ${second.fence > first.fence}`);
  const next = lock.acquire();
  await until(lock.acquire({ timeoutMs: 10 }).catch(({ code }) => happened.push(code)));
  broker.loseLease(second);
  const third = await until(next);
  happened.push(`state ${third.state}, ${third.fence > second.fence}`);
  await until(third.release());
  broker.purgeLock(third);
  await clock.advance(MINUTE);
  await until((await take()).release());

  const memory = baton.lock('jobs', { state: z.unknown() });
  const remember = async (state: unknown) => until((await until(memory.acquire())).release({ state }));
  await remember('no record of a job');

  const schedule = baton.schedule(
    'jobs',
    '* * * * *',
    async (run) => {
      hooks.run?.(run);
      happened.push(`ran ${run.tick.getUTCMinutes()}`);
      if (run.tick.getUTCMinutes() === 6) await once(run.signal, 'abort');
      if (run.tick.getUTCMinutes() % 3 === 0) throw new Error('no paper');
    },
    { timezone: 'UTC' },
  );
  hooks.schedule?.(schedule);
  schedule.on('done', ({ tick }) => happened.push(`done ${tick.getUTCMinutes()}`));
  schedule.on('failed', ({ tick }) => happened.push(`failed ${tick.getUTCMinutes()}`));
  schedule.on('error', (error) => happened.push(`error ${(error as { code?: string }).code}`));
  schedule.on('ahead', ({ doneUpTo }) => happened.push(`ahead ${doneUpTo.getUTCFullYear()}`));
  schedule.on('ended', () => happened.push('ended'));
  await clock.advance(100);
  await remember({ v: 1, done: Date.parse('2028-01-01') });
  await clock.advance(2_000);
  await remember({ v: 1, done: Math.floor(clock.now().wall) - MINUTE });
  await clock.advance(4 * MINUTE);
  broker.restart();
  await clock.advance(MINUTE);
  await until(schedule.stop());
  await until(baton.close({ drainMs: 1_000 }));
  hooks.end?.();
  return happened;
}
