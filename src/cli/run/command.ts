import { connect, isBatonError, type Lease, LeaseLostError, type Lock } from '../../index.ts';
import { jobRecordSchema } from '../../jobs/record.ts';
import { formatDuration } from '../duration.ts';
import { EXIT } from '../exit-codes.ts';
import { SECRET_VARIABLES } from '../flags.ts';
import { systemText } from '../system-text.ts';
import { say } from '../talk.ts';
import { type Ending, Guard } from './guard-client.ts';
import { GuardError } from './guard-process.ts';
import { exitCodeOfSignal, Interrupts } from './interrupts.ts';
import { type CommandEnd, runOnce } from './once.ts';
import { type RunOrder, readOrder } from './order.ts';
import { askWhoHolds, WaitingTalk } from './waiting.ts';

/** `baton run`: holds a lock while a command runs. Resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const order = await readOrder(argv, process.env);
  const interrupts = new Interrupts();
  // First of all: a package that was replaced during a wait may have no guard to start any more.
  using guard = new Guard(order.lock);
  using waiting = order.quiet ? undefined : new WaitingTalk(order.lock, askWhoHolds(order));
  try {
    return await run(order, { guard, interrupts, waiting });
  } catch (error) {
    if (!(error instanceof GuardError)) throw error;
    say(`${error.message}; ${JSON.stringify(order.file)} did not run`);
    return EXIT.internal;
  }
}

interface Means {
  readonly guard: Guard;
  readonly interrupts: Interrupts;
  readonly waiting: WaitingTalk | undefined;
}

async function run(order: RunOrder, means: Means): Promise<number> {
  const { guard, interrupts, waiting } = means;
  const { urls, options } = order.connection;
  const { lock, once: policy } = order;
  await using baton = await interrupted(connect(urls, options), interrupts.signal);
  await interrupted(guard.ready, interrupts.signal);
  waiting?.watch(baton);
  if (policy === undefined) {
    return await holding(baton.lock(lock), order, means, async (lease) => {
      const { code } = await runUnder(lease, order, means);
      return code;
    });
  }
  const once = { policy, service: options.service ?? 'baton', logger: options.logger, now: Date.now };
  return await holding(baton.lock(lock, { state: jobRecordSchema }), order, means, (lease) =>
    runOnce(lease, once, (environment) => runUnder(lease, order, means, environment)),
  );
}

/** Waits for the lock as long as was asked, and gives it back after `use`. */
async function holding<T>(
  lock: Lock<T>,
  { waitMs: timeoutMs }: RunOrder,
  { guard, interrupts: { signal }, waiting }: Means,
  use: (lease: Lease<T>) => Promise<number>,
): Promise<number> {
  const lease = await lock.tryAcquire({ timeoutMs, signal });
  waiting?.[Symbol.dispose]();
  if (lease === undefined) {
    const within = timeoutMs === 0 ? '' : ` within ${formatDuration(timeoutMs)}`;
    say(`lock ${JSON.stringify(lock.name)} was not acquired${within}: somebody else holds it`);
    return EXIT.notAcquired;
  }
  try {
    // Before anything is recorded: without a guard the command does not run.
    await guard.keep(lease.sockets);
    signal.throwIfAborted();
    return await use(lease);
  } finally {
    await lease
      .release()
      .catch((error: unknown) => say(error instanceof Error ? error.message : String(error)));
  }
}

/** Whatever it is, waiting for it ends with a signal. */
async function interrupted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  return Promise.race([promise, aborted]);
}

async function runUnder<T>(
  lease: Lease<T>,
  order: RunOrder,
  { guard, interrupts }: Means,
  environment: Readonly<Record<string, string>> = {},
): Promise<CommandEnd> {
  const { beatEveryMs, killAfterMs } = order;
  interrupts.signal.throwIfAborted();
  lease.throwIfLost();
  const beats = setInterval(() => {
    guard.beat(lossOf(lease) === undefined ? lease.remainingMs : 0, beatEveryMs);
  }, beatEveryMs);
  try {
    const inherited = { ...process.env };
    if (order.scrubEnv) for (const name of SECRET_VARIABLES) delete inherited[name];
    // Set last: in a nested run the command sees the inner lock.
    const env = { ...inherited, ...environment, BATON_LOCK: lease.name, BATON_FENCE: String(lease.fence) };
    const ended = guard.run({ file: order.file, args: order.args, env }, lease.remainingMs, killAfterMs);
    interrupts.passTo((signal) => guard.signal(signal));
    lease.signal.addEventListener('abort', () => guard.kill(), { once: true });
    const ending = await ended;
    const signal = ending.say === 'ended' ? ending.signal : null;
    return { code: settle(ending, lossOf(lease), order), signal };
  } finally {
    clearInterval(beats);
  }
}

/** Reads the clocks, so it also sees a loss that nobody was told of yet. */
function lossOf<T>(lease: Lease<T>): LeaseLostError | undefined {
  try {
    lease.throwIfLost();
    return undefined;
  } catch (error) {
    if (error instanceof LeaseLostError && isBatonError(error)) return error;
    throw error;
  }
}

/** The command's own failure wins over a loss; a success under a lease that was lost is none. */
function settle(ending: Ending, loss: LeaseLostError | undefined, { file }: RunOrder): number {
  switch (ending.say) {
    case 'unguarded':
      say(unguardedText(ending));
      return loss === undefined ? EXIT.internal : EXIT.lost;
    case 'failed':
      say(`cannot run ${JSON.stringify(file)}: ${systemText(ending.errno)}`);
      return ending.errno === 'ENOENT' ? EXIT.notFound : EXIT.notExecutable;
    case 'ended':
      if (loss !== undefined)
        say(`${loss.message} (${loss.reason})${ending.stopped ? '; the command was killed' : ''}`);
      else if (ending.stopped) say('the hold could not be proven in time; the command was stopped');
      if (ending.stopped || (loss !== undefined && ending.code === 0)) return EXIT.lost;
      return ending.signal === null ? (ending.code ?? EXIT.internal) : exitCodeOfSignal(ending.signal);
  }
}

function unguardedText({ guard, ran }: Extract<Ending, { say: 'unguarded' }>): string {
  if (!ran) return 'the guard process was killed before the command could run';
  return guard === 'killed'
    ? 'the guard process was killed, so the command was killed as well'
    : 'the guard process does not answer; the command has ended, with which exit code is not known';
}
