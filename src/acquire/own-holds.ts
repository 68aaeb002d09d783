import { AsyncLocalStorage } from 'node:async_hooks';
import { lockPlace } from '../protocol/queues.ts';
import type { Context } from './context.ts';

interface OwnHold {
  readonly context: Context;
  readonly lock: string;
  readonly remainingMs: number;
  readonly outer: OwnHold | undefined;
}

/** What the code that runs now holds by `run` or `tryRun`. A lease of `acquire` belongs to nobody in particular. */
const holds = new AsyncLocalStorage<OwnHold>();

/** A caller within `task` that wants a lock has `lease`, until that is released. */
export function within<R>(
  context: Context,
  lease: { readonly name: string; readonly remainingMs: number },
  task: () => R,
): R {
  const hold: OwnHold = {
    context,
    lock: lease.name,
    get remainingMs() {
      return lease.remainingMs;
    },
    outer: holds.getStore(),
  };
  return holds.run(hold, task);
}

/** By which name the caller holds what `lock` needs: its own, or another one of its slot. */
export function heldByCaller(context: Context, lock: string): string | undefined {
  let hold = holds.getStore();
  if (hold === undefined) return undefined;
  const queue = queueOf(context, lock);
  for (; hold !== undefined; hold = hold.outer) {
    if (hold.context === context && hold.remainingMs > 0 && queueOf(context, hold.lock) === queue)
      return hold.lock;
  }
  return undefined;
}

export const queueOf = ({ settings }: Context, lock: string): string =>
  lockPlace(settings.namespace, lock, settings.slots).queue;

const warned = new WeakMap<Context, Set<string>>();

/** A wait without a limit for what its own caller holds is told once for each lock. */
export function warnOfOwnHold(context: Context, lock: string, held: string): void {
  const locks = warned.get(context) ?? new Set<string>();
  warned.set(context, locks);
  if (locks.has(lock) || locks.size >= 100) return;
  locks.add(lock);
  const message = `lock ${JSON.stringify(lock)} is waited for without a timeout by code that holds it itself${by(lock, held)}: unless that is released meanwhile, this wait never ends`;
  context.settings.logger.warn({ lock }, message);
  process.emitWarning(message, { code: 'BATONMQ_OWN_LOCK' });
}

/** With slots, the name under which it is held. */
export const by = (lock: string, held: string): string =>
  lock === held ? '' : `, as ${JSON.stringify(held)}, which has the same slot`;
