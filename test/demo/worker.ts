/** One worker of the fleet, a process of its own: takes a job from its parent, the lock from the broker, and works. */
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type Lease, LeaseLostError } from '../../src/index.ts';
import { type Job, now, type ToWorker, type WorkerStep } from './events.ts';
import { FenceRefusedError, SharedFile } from './store.ts';
import { LOCK_TIMES } from './times.ts';

type Hold = Pick<Lease, 'fence' | 'throwIfLost' | 'release'>;

const { BATON_URL = '', DEMO_FOLDER = '', DEMO_NAMESPACE = '', DEMO_WORKER = '' } = process.env;
const withoutLock = process.env.DEMO_WITHOUT_LOCK === '1';
let lateWrite: (() => void) | undefined;
let frozen: number | undefined;

const baton = await connect(BATON_URL, {
  service: `demo-${DEMO_WORKER}`,
  namespace: DEMO_NAMESPACE,
  ...LOCK_TIMES,
});

function send(message: object): void {
  process.send?.(message);
}

/** What happens without a lock, for the demo of the demo: nobody waits, and every fence is the same. */
function pretendHold(): Hold {
  return { fence: 0n, throwIfLost: () => {}, release: async () => {} };
}

async function work(job: Job): Promise<void> {
  const { id, resource } = job;
  let fence: string | undefined;
  const report = (type: WorkerStep, reason?: string): void => {
    const event = { type, at: now(), worker: DEMO_WORKER, job: id, resource, fence, reason };
    send({ type: 'event', event });
  };

  report('waiting');
  const hold = withoutLock ? pretendHold() : await baton.lock(resource).acquire();
  fence = String(hold.fence);
  report('granted');

  const file = new SharedFile(DEMO_FOLDER, resource);
  let commit: (() => void) | undefined;
  try {
    hold.throwIfLost();
    const { value, hasDone } = file.open(hold.fence);
    const entry = { job: id, worker: DEMO_WORKER, before: value, after: value + job.amount };
    commit = () => file.commit(hold.fence, entry);
    report('working');
    for (const ms of job.pauses) {
      await pause(ms);
      hold.throwIfLost();
    }
    // A worker before us may have been killed after its write and before anybody heard of it.
    if (!hasDone(id)) commit();
    report('releasing');
    await hold.release();
    report('done');
  } catch (error) {
    if (!(error instanceof LeaseLostError)) throw error;
    report('lost', error.reason);
    await hold.release();
    lateWrite = () => report(tryLate(commit));
  }
}

function tryLate(commit: (() => void) | undefined): WorkerStep {
  try {
    commit?.();
    return 'late-accepted';
  } catch (error) {
    if (error instanceof FenceRefusedError) return 'late-refused';
    throw error;
  }
}

async function obey(message: ToWorker): Promise<void> {
  switch (message.type) {
    case 'job':
      return work(message.job);
    case 'late-write':
      return lateWrite?.();
    case 'frozen':
      frozen = message.pid;
      return;
    case 'leave':
      await baton.close({ drainMs: 0 });
      process.exit();
  }
}

process.on('message', (message: ToWorker) => {
  obey(message).catch((error: unknown) => {
    send({ type: 'failed', error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  });
});
// The parent is gone, however it went: nobody is left to work for, or to wake who stands still.
process.on('disconnect', () => {
  try {
    if (frozen !== undefined) process.kill(frozen, 'SIGCONT');
  } catch {
    // It is gone already.
  }
  process.exit();
});
// Ctrl-C reaches the whole process group; the parent clears up and tells us when to leave.
process.on('SIGINT', () => {});
send({ type: 'ready' });
